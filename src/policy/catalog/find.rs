//! Looks models up in the catalogue, by two binary searches. No index is built; only a found model's tiers are allocated.

use crate::policy::catalog::facts::ModelFacts;
use crate::policy::catalog::layout::{MODEL_BYTES, PROVIDER_BYTES};
use crate::policy::catalog::read::{Cursor, MODELS, PROVIDERS, search};

/// What is known of `model` at `provider`.
pub fn find(provider: &str, model: &str) -> Option<ModelFacts> {
    let provider = Provider::named(provider)?;
    let index = provider.search(model)?;
    ModelFacts::decode(provider.name, Cursor::record(MODELS, MODEL_BYTES, index)?)
}

/// The providers that serve a model under exactly this name, sorted.
pub fn providers_of(model: &str) -> Vec<&'static str> {
    Provider::all().filter(|provider| provider.search(model).is_some()).map(|provider| provider.name).collect()
}

/// Whether the catalogue has models of `provider`.
pub fn has_provider(provider: &str) -> bool {
    Provider::named(provider).is_some()
}

/// Every provider, sorted.
pub fn providers() -> impl Iterator<Item = &'static str> {
    Provider::all().map(|provider| provider.name)
}

/// Every model, sorted by provider and name.
pub fn all() -> impl Iterator<Item = ModelFacts> {
    Provider::all()
        .flat_map(|provider| provider.records().filter_map(move |record| ModelFacts::decode(provider.name, record)))
}

/// One provider and its span of the model records.
#[derive(Clone, Copy)]
pub(super) struct Provider {
    name: &'static str,
    first: usize,
    end: usize,
}

impl Provider {
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::at(search(PROVIDERS, PROVIDER_BYTES, 0, PROVIDERS.len() / PROVIDER_BYTES, name)?)
    }

    fn all() -> impl Iterator<Item = Self> {
        (0..PROVIDERS.len() / PROVIDER_BYTES).filter_map(Self::at)
    }

    fn at(index: usize) -> Option<Self> {
        let mut record = Cursor::record(PROVIDERS, PROVIDER_BYTES, index)?;
        let (name, first) = (record.name()?, record.fixed(2)?);
        Some(Self { name, first, end: first.checked_add(record.fixed(2)?)? })
    }

    fn search(self, model: &str) -> Option<usize> {
        search(MODELS, MODEL_BYTES, self.first, self.end, model)
    }

    fn records(self) -> impl Iterator<Item = Cursor> {
        (self.first..self.end).filter_map(|index| Cursor::record(MODELS, MODEL_BYTES, index))
    }

    /// The names of its models, sorted.
    pub(super) fn models(self) -> impl Iterator<Item = &'static str> {
        self.records().filter_map(|mut record| record.name())
    }
}

#[cfg(test)]
mod tests;
