//! What goes wrong with a request, as data: the stable code, the status, who is to blame. Not its wire shape (see `codec`).

use std::fmt;

/// The stable code of an error, as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// No key, or one that nobody knows. 401.
    Unauthenticated,
    /// The principal may not use the model. 403.
    ModelNotAllowed,
    /// Nothing answers to the model's name. 404.
    UnknownModel,
    /// Targets exist, and every one of them breaks a rule. 422.
    NoEligibleTarget,
    /// A budget is spent. 429.
    BudgetExceeded,
    /// A limit is reached. 429.
    RateLimited,
    /// A guard refused the text. 400.
    GuardBlocked,
    /// The request cannot be understood. 400.
    InvalidRequest,
    /// The path or method is not served. 404.
    UnknownEndpoint,
    /// The body is over the proxy's limit. 413.
    BodyTooLarge,
    /// Every attempt at a provider failed. 502.
    UpstreamError,
    /// No provider answered in time. 504.
    UpstreamTimeout,
    /// The rules are not there, or the gateway lost its state. 503.
    PolicyUnavailable,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 13] = [
        Self::Unauthenticated,
        Self::ModelNotAllowed,
        Self::UnknownModel,
        Self::NoEligibleTarget,
        Self::BudgetExceeded,
        Self::RateLimited,
        Self::GuardBlocked,
        Self::InvalidRequest,
        Self::UnknownEndpoint,
        Self::BodyTooLarge,
        Self::UpstreamError,
        Self::UpstreamTimeout,
        Self::PolicyUnavailable,
    ];

    /// The name clients and metrics see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::UnknownModel => "unknown_model",
            Self::NoEligibleTarget => "no_eligible_target",
            Self::BudgetExceeded => "budget_exceeded",
            Self::RateLimited => "rate_limited",
            Self::GuardBlocked => "guard_blocked",
            Self::InvalidRequest => "invalid_request",
            Self::UnknownEndpoint => "unknown_endpoint",
            Self::BodyTooLarge => "body_too_large",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::PolicyUnavailable => "policy_unavailable",
        }
    }

    /// The HTTP status of the answer.
    pub fn status(self) -> u16 {
        match self {
            Self::GuardBlocked | Self::InvalidRequest => 400,
            Self::Unauthenticated => 401,
            Self::ModelNotAllowed => 403,
            Self::UnknownModel | Self::UnknownEndpoint => 404,
            Self::BodyTooLarge => 413,
            Self::NoEligibleTarget => 422,
            Self::BudgetExceeded | Self::RateLimited => 429,
            Self::UpstreamError => 502,
            Self::PolicyUnavailable => 503,
            Self::UpstreamTimeout => 504,
        }
    }
}

/// An error of the gateway's own, to be answered in the client's API family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayError {
    /// The stable code.
    pub code: ErrorCode,
    /// The rule and the value found; never prompt text or a secret.
    pub message: String,
    /// The request member at fault, if one is.
    pub param: Option<&'static str>,
}

impl GatewayError {
    /// An error that no single member of the request is to blame for.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: None }
    }

    /// The same error, naming the member at fault.
    pub fn at(self, param: &'static str) -> Self {
        Self { param: Some(param), ..self }
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.code.name(), self.message)
    }
}
