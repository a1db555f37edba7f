//! The gateway's own errors as a client of some family gets them.

use crate::chat::failure::Failure;
use crate::chat::wire::Wire;
use crate::codec::openai::error::encode_error;
use crate::codec::registry;
use crate::error::GatewayError;
use crate::gateway::step::Reply;

/// Status and body of an error in a family's shape.
pub(crate) fn encoded(error: &GatewayError, wire: Wire) -> (u16, Vec<u8>) {
    match (wire, registry::client(wire)) {
        (Wire::Chat | Wire::Responses, _) | (_, None) => (error.code.status(), encode_error(error)),
        (_, Some(client)) => client.encode_failure(&Failure::from(error)),
    }
}

/// Status and body of a provider's error in a family's shape.
pub(crate) fn encoded_failure(failure: &Failure<'_>, wire: Wire) -> (u16, Vec<u8>) {
    match registry::client(wire) {
        Some(client) => client.encode_failure(failure),
        None => (failure.status, Vec::new()),
    }
}

/// An error as an answer; `id` is the decision's.
pub(crate) fn reply_to(error: &GatewayError, wire: Wire, id: Option<&str>) -> Reply {
    let mut headers = vec![("content-type", "application/json".to_owned())];
    if let Some(id) = id {
        headers.push(("x-weir-decision", id.to_owned()));
    }
    let (status, body) = encoded(error, wire);
    Reply { status, headers, body }
}
