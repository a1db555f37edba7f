//! The gateway's own errors in the form between the wire formats.

use std::borrow::Cow;

use crate::chat::failure::{Failure, FailureKind};
use crate::error::{ErrorCode, GatewayError};

impl<'a> From<&'a GatewayError> for Failure<'a> {
    fn from(error: &'a GatewayError) -> Self {
        let kind = match error.code {
            ErrorCode::Unauthenticated => FailureKind::Authentication,
            ErrorCode::ModelNotAllowed => FailureKind::Permission,
            ErrorCode::UnknownModel | ErrorCode::UnknownEndpoint => FailureKind::NotFound,
            ErrorCode::NoEligibleTarget | ErrorCode::GuardBlocked | ErrorCode::InvalidRequest => {
                FailureKind::InvalidRequest
            }
            ErrorCode::BodyTooLarge => FailureKind::TooLarge,
            ErrorCode::BudgetExceeded => FailureKind::Billing,
            ErrorCode::RateLimited => FailureKind::RateLimit,
            ErrorCode::UpstreamTimeout => FailureKind::Timeout,
            ErrorCode::UpstreamError | ErrorCode::PolicyUnavailable => FailureKind::Server,
        };
        Self {
            kind,
            status: error.code.status(),
            message: Cow::Borrowed(&error.message),
            code: Some(Cow::Borrowed(error.code.name())),
            param: error.param.map(Cow::Borrowed),
        }
    }
}
