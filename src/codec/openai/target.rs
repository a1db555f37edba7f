//! The target of a request on its way out, and what is lost or impossible there. Not the writing itself.

use crate::chat::feature::{Feature, Features};
use crate::codec::openai::vendor::{self, Vendor};
use crate::codec::wire::{Impossible, Shape};

/// A target, and what of the request cannot go there.
pub(super) struct Target<'a> {
    pub(super) shape: &'a Shape<'a>,
    pub(super) vendor: &'static Vendor,
    lost: Features,
    impossible: Option<Impossible>,
}

impl<'a> Target<'a> {
    pub(super) fn new(shape: &'a Shape<'a>) -> Self {
        Self { shape, vendor: vendor::of(shape), lost: Features::NONE, impossible: None }
    }

    /// Something is left out.
    pub(super) fn lose(&mut self, feature: Feature) {
        self.lost.insert(feature);
    }

    /// Something can neither be said nor left out; the first such thing is reported.
    pub(super) fn forbid(&mut self, feature: Feature, rule: &'static str) {
        self.impossible.get_or_insert(Impossible { feature, rule });
    }

    /// Whether a feature's member may be written; it is lost otherwise.
    pub(super) fn takes(&mut self, feature: Feature) -> bool {
        let takes = !self.vendor.refuses(feature);
        if !takes {
            self.lose(feature);
        }
        takes
    }

    pub(super) fn result(self) -> Result<Features, Impossible> {
        self.impossible.map_or(Ok(self.lost), Err)
    }
}
