//! An error on its way to a client: a provider's, or the gateway's own. Not its shape on a wire (see `codec`).

use std::borrow::Cow;

/// What went wrong, in words that every wire has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The request is wrong.
    InvalidRequest,
    /// The prompt does not fit into the context window.
    ContextTooLong,
    /// The vendor's filter refused the prompt.
    PolicyViolation,
    /// The key is wrong.
    Authentication,
    /// No money is left.
    Billing,
    /// The key may not do this.
    Permission,
    /// No such model or endpoint.
    NotFound,
    /// Something else is at it.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// A rate limit.
    RateLimit,
    /// It took too long.
    Timeout,
    /// The vendor failed.
    Server,
    /// The vendor has too much to do.
    Overloaded,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::InvalidRequest,
        Self::ContextTooLong,
        Self::PolicyViolation,
        Self::Authentication,
        Self::Billing,
        Self::Permission,
        Self::NotFound,
        Self::Conflict,
        Self::TooLarge,
        Self::RateLimit,
        Self::Timeout,
        Self::Server,
        Self::Overloaded,
    ];

    /// What a status says where the body says nothing better.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::InvalidRequest,
            _ => Self::Server,
        }
    }

    /// The usual status, for an error inside a stream that began with 200.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::ContextTooLong | Self::PolicyViolation => 400,
            Self::Authentication => 401,
            Self::Billing => 402,
            Self::Permission => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::RateLimit => 429,
            Self::Server => 500,
            Self::Overloaded => 503,
            Self::Timeout => 504,
        }
    }
}

/// An error on its way to a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure<'a> {
    /// What went wrong.
    pub kind: FailureKind,
    /// The HTTP status; encoders may answer another that their SDKs expect (529 for `Overloaded` at Anthropic).
    pub status: u16,
    /// For people.
    pub message: Cow<'a, str>,
    /// A stable word for programs: the gateway's, or the vendor's.
    pub code: Option<Cow<'a, str>>,
    /// The request member at fault.
    pub param: Option<Cow<'a, str>>,
}

impl Failure<'_> {
    /// The same error for as long as one likes.
    pub fn into_owned(self) -> Failure<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Failure {
            kind: self.kind,
            status: self.status,
            message: own(self.message),
            code: self.code.map(own),
            param: self.param.map(own),
        }
    }
}
