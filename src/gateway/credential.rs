//! The client's credential: where it stands on the wire, and which headers never go on to a provider.

use std::rc::Rc;

use crate::error::{ErrorCode, GatewayError};
use crate::gateway::compile::Gateway;
use crate::gateway::endpoint::key_in_query;
use crate::host::Timestamp;
use crate::http::Headers;
use crate::policy::access::{Principal, Refusal};

/// Headers that carry a credential, of a client to us or of us to a provider.
pub const CREDENTIAL_HEADERS: [&str; 5] =
    ["authorization", "x-api-key", "x-goog-api-key", "api-key", "proxy-authorization"];

/// The client's credential, without its scheme; `query` is one that stands in the path.
///
/// # Errors
/// `invalid_request` when a request carries several that differ: which of them is meant cannot be known, and a proxy
/// behind could pick another than Weir did.
fn presented<'h>(headers: &'h Headers, query: Option<&'h str>) -> Result<Option<&'h [u8]>, GatewayError> {
    let mut found: Option<&[u8]> = query.map(str::as_bytes);
    for name in ["authorization", "x-api-key", "x-goog-api-key", "api-key"] {
        for value in headers.all(name) {
            let credential = if name == "authorization" { without_scheme(value) } else { value };
            if found.is_some_and(|other| other != credential) {
                let message = "the request carries several credentials that differ; send one";
                return Err(GatewayError::new(ErrorCode::InvalidRequest, message));
            }
            found = Some(credential);
        }
    }
    Ok(found)
}

fn without_scheme(value: &[u8]) -> &[u8] {
    match value.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"bearer ") => rest.trim_ascii(),
        _ => value,
    }
}

/// The answer to somebody who is not let in.
fn refused(refusal: Refusal) -> GatewayError {
    let message = match refusal {
        Refusal::Missing => "no key: send one as `authorization: Bearer <key>`",
        Refusal::Unknown => "the key is not known here",
        Refusal::Expired => "the key has expired; ask for a new one",
    };
    GatewayError::new(ErrorCode::Unauthenticated, message)
}

/// Who asks, by the credential in the headers, or in the query of Gemini's paths.
pub(crate) fn principal(gateway: &Gateway, headers: &Headers, now: Timestamp) -> Result<Rc<Principal>, GatewayError> {
    let query = headers.text(":path").and_then(key_in_query);
    let credential = presented(headers, query)?;
    gateway.rules.access.principal(credential, now.secs()).map_err(refused)
}

/// Whether a client's header is kept from every provider: credentials, cookies, addresses of the client, and control
/// headers of the proxy or of Weir that a client must not set.
pub fn is_withheld(name: &str) -> bool {
    CREDENTIAL_HEADERS.contains(&name)
        || name.starts_with("x-weir-")
        || name.starts_with("x-envoy-")
        || (name.starts_with("x-forwarded-") && name != "x-forwarded-proto")
        || matches!(name, "cookie" | "forwarded" | "x-real-ip" | "accept-encoding")
}

#[cfg(test)]
mod tests {
    use super::{is_withheld, presented};
    use crate::http::Headers;

    #[test]
    fn finds_the_one_credential() {
        let one = |pairs: &[(&str, &str)]| {
            presented(&Headers::from_pairs(pairs.iter().copied()), None).map(|found| found.map(<[u8]>::to_vec))
        };
        assert_eq!(one(&[]).unwrap(), None);
        assert_eq!(one(&[("authorization", "Bearer  k1 ")]).unwrap(), Some(b"k1".to_vec()));
        assert_eq!(one(&[("authorization", "bEARER k1"), ("x-api-key", "k1")]).unwrap(), Some(b"k1".to_vec()));
        assert_eq!(one(&[("x-goog-api-key", "k2")]).unwrap(), Some(b"k2".to_vec()));
        assert!(one(&[("authorization", "Bearer k1"), ("x-api-key", "k2")]).is_err());
        assert!(one(&[("authorization", "Bearer k1"), ("authorization", "Bearer k2")]).is_err());
    }

    #[test]
    fn withholds_what_a_provider_must_not_see() {
        for name in ["authorization", "cookie", "x-weir-cluster", "x-envoy-retry-on", "x-forwarded-for", "api-key"] {
            assert!(is_withheld(name), "{name}");
        }
        for name in ["content-type", "user-agent", "openai-beta", "x-request-id", "x-stainless-lang"] {
            assert!(!is_withheld(name), "{name}");
        }
    }
}
