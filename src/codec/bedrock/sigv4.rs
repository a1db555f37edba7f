//! AWS Signature Version 4, for requests whose body is at hand. It reads no clock and keeps no key.
//!
//! Sign last: the signature covers method, path, query, host, content type and every byte of the body. Wire facts:
//! botocore's `auth.py` (`SigV4Auth`), whose results `tests/fixtures/sigv4.jsonl` repeats.

use std::fmt;

use sha2::{Digest, Sha256};

/// What is signed, and with what. The path is the one on the wire, its segments percent-encoded once.
#[derive(Clone, Copy)]
pub struct SignRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path as it goes on the wire, without the query.
    pub path: &'a str,
    /// The query as it goes on the wire, without `?`; empty when there is none.
    pub query: &'a str,
    /// The host, with its port where the URL names one.
    pub host: &'a str,
    /// The content type; empty when none is sent.
    pub content_type: &'a str,
    /// The final body.
    pub body: &'a [u8],
    /// The endpoint's region.
    pub region: &'a str,
    /// The service: `bedrock`.
    pub service: &'a str,
    /// The access key's id.
    pub access_key: &'a str,
    /// The secret key.
    pub secret: &'a str,
    /// The token of temporary credentials.
    pub session_token: Option<&'a str>,
    /// Seconds since 1970.
    pub unix_time: u64,
}

impl fmt::Debug for SignRequest<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SignRequest")
            .field("method", &self.method)
            .field("host", &self.host)
            .field("region", &self.region)
            .field("service", &self.service)
            .field("body", &self.body.len())
            .field("session_token", &self.session_token.map(str::len))
            .field("unix_time", &self.unix_time)
            .finish_non_exhaustive()
    }
}

/// The headers to be added, names in lower case: `x-amz-date`, `x-amz-security-token` when there is one, `authorization`.
///
/// Headers of these names that stand in the request already are to be removed.
pub fn sign(request: &SignRequest<'_>) -> Vec<(&'static str, String)> {
    let time = Stamp::of(request.unix_time);
    let headers = signed_headers(request, &time);
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let canonical = hex(&Sha256::digest(canonical_request(request, &headers, &names)));
    let scope = format!("{}/{}/{}/aws4_request", time.date, request.region, request.service);
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{canonical}", time.full);
    let signature = hex(&hmac(&signing_key(request, &time), text.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        request.access_key
    );
    let mut added = vec![("x-amz-date", time.full)];
    if let Some(token) = request.session_token {
        added.push(("x-amz-security-token", token.to_owned()));
    }
    added.push(("authorization", authorization));
    added
}

/// One segment of a path with everything percent-encoded but letters, digits and `-._~`: a model's id, an ARN.
pub fn model_segment(id: &str) -> String {
    encode(id, false)
}

/// The headers that are signed, by name.
fn signed_headers<'a>(request: &SignRequest<'a>, time: &Stamp) -> Vec<(&'static str, String)> {
    let trimmed = |value: &'a str| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let mut headers = Vec::with_capacity(4);
    if !request.content_type.is_empty() {
        headers.push(("content-type", trimmed(request.content_type)));
    }
    headers.push(("host", trimmed(request.host)));
    headers.push(("x-amz-date", time.full.clone()));
    if let Some(token) = request.session_token {
        headers.push(("x-amz-security-token", trimmed(token)));
    }
    headers
}

fn canonical_request(request: &SignRequest<'_>, headers: &[(&str, String)], names: &str) -> String {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let (path, query) = (canonical_path(request.path), canonical_query(request.query));
    let body = hex(&Sha256::digest(request.body));
    format!("{}\n{path}\n{query}\n{lines}\n{names}\n{body}", request.method)
}

/// The wire path without empty and dot segments, percent-encoded once more.
fn canonical_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let last = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    encode(&format!("/{}{last}", kept.join("/")), true)
}

/// The pairs of the query, sorted; they are percent-encoded already.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn encode(text: &str, keep_slash: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' if keep_slash => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn signing_key(request: &SignRequest<'_>, time: &Stamp) -> [u8; 32] {
    let seed = hmac(format!("AWS4{}", request.secret).as_bytes(), time.date.as_bytes());
    let region = hmac(&seed, request.region.as_bytes());
    let service = hmac(&region, request.service.as_bytes());
    hmac(&service, b"aws4_request")
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    let hashed;
    let key = if key.len() > block.len() {
        hashed = Sha256::digest(key);
        hashed.as_slice()
    } else {
        key
    };
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let inner = Sha256::new_with_prefix(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new_with_prefix(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time as `20261121T100000Z`, and its day.
struct Stamp {
    full: String,
    date: String,
}

impl Stamp {
    fn of(unix_time: u64) -> Self {
        let (days, seconds) = (unix_time / 86_400, unix_time % 86_400);
        // Days are counted from 0000-03-01, so that a leap day is the last of its year (Howard Hinnant's algorithm).
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let date = format!("{year:04}{month:02}{day:02}");
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        Self { full: format!("{date}T{hour:02}{minute:02}{second:02}Z"), date }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{
        SignRequest, Stamp, canonical_path, canonical_query, canonical_request, hex, hmac, model_segment, sign,
        signed_headers,
    };

    const REQUEST: SignRequest<'_> = SignRequest {
        method: "POST",
        path: "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
        query: "",
        host: "bedrock-runtime.us-east-1.amazonaws.com",
        content_type: "application/json",
        body: br#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}"#,
        region: "us-east-1",
        service: "bedrock",
        access_key: "AKIDEXAMPLE",
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session_token: None,
        unix_time: 1_795_255_200,
    };

    #[test]
    fn the_vector_of_the_format_is_signed() {
        let body = hex(&Sha256::digest(REQUEST.body));
        assert_eq!(body, "45e583fed2564dc00e823303d7609f8587af7f685b993cb0f998afc0d480b01d");
        let path = "/model/anthropic.claude-sonnet-4-5-20250929-v1%253A0/converse";
        assert_eq!(canonical_path(REQUEST.path), path);
        let headers = signed_headers(&REQUEST, &Stamp::of(REQUEST.unix_time));
        let canonical = canonical_request(&REQUEST, &headers, "content-type;host;x-amz-date");
        assert_eq!(hex(&Sha256::digest(canonical)), "37936356ca22428f00beff92534945daeb77cda5d88f4416f92283ac47a8780d");
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-east-1/bedrock/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=2541e693ca24092e2ba71d7e438d9bfdf263537a451626082259d0ba61515fdd";
        let expected = [("x-amz-date", "20261121T100000Z".to_owned()), ("authorization", authorization.to_owned())];
        assert_eq!(sign(&REQUEST), expected);
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let signed = sign(&SignRequest { session_token: Some("token=="), ..REQUEST });
        assert_eq!(signed[1], ("x-amz-security-token", "token==".to_owned()));
        assert!(signed[2].1.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"));
    }

    #[test]
    fn secrets_stay_out_of_debug() {
        let text = format!("{:?}", SignRequest { session_token: Some("token=="), ..REQUEST });
        assert!(!text.contains("wJalr") && !text.contains("token=="), "{text}");
        assert!(!text.contains("AKIDEXAMPLE") && !text.contains("Hi"), "{text}");
    }

    #[test]
    fn a_model_id_is_one_segment() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0";
        let segment = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.amazon.nova-pro-v1%3A0";
        assert_eq!(model_segment(arn), segment);
        assert_eq!(model_segment("a b~é"), "a%20b~%C3%A9");
    }

    #[test]
    fn paths_and_queries_are_put_into_one_form() {
        for (path, canonical) in
            [("", "/"), ("/", "/"), ("/a//b/./c/../d/", "/a/b/d/"), ("/../a", "/a"), ("/a%2Fb", "/a%252Fb")]
        {
            assert_eq!(canonical_path(path), canonical, "{path}");
        }
        assert_eq!(canonical_query("b=2&a=2&a=1&c&a-b=0"), "a=1&a=2&a-b=0&b=2&c=");
    }

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        let cases = [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (1_735_689_599, "20241231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ];
        for (time, text) in cases {
            assert_eq!(Stamp::of(time).full, text);
        }
    }

    #[test]
    fn hmac_follows_rfc_4231() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, text, code) in cases {
            assert_eq!(hex(&hmac(key, text)), code);
        }
    }
}
