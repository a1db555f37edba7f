//! A provider's `endpoint` taken apart by hand: `http` or `https`, host, port, base path. Not a general URL parser.

use crate::config::policy::Endpoint;

/// The parts of an endpoint.
///
/// # Errors
/// The rule that the text breaks; the text itself is not repeated, since a user part may hold a password.
pub fn parse(text: &str) -> Result<Endpoint, &'static str> {
    let (tls, rest) = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
        Some(_) | None => return Err("must start with https:// or http://"),
    };
    if text.bytes().any(|byte| byte <= b' ' || byte >= 0x7f || matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'`')) {
        return Err("may hold visible ASCII characters of a URL only");
    }
    if text.contains(['?', '#']) {
        return Err("must have no query and no fragment; they belong to each request");
    }
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at_checked(slash).unwrap_or((rest, "")),
        None => (rest, ""),
    };
    if authority.contains('@') {
        return Err("must hold no user name or password; credentials belong under `key`");
    }
    let (host, port) = split_port(authority)?;
    let port = match port {
        Some(digits) => parse_port(digits)?,
        None if tls => 443,
        None => 80,
    };
    Ok(Endpoint { tls, host: host.to_ascii_lowercase(), port, path: path.trim_end_matches('/').to_owned() })
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("has a `[` without its `]`")?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("holds no IPv6 address between its brackets");
        }
        return match after {
            "" => Ok((host, None)),
            port => port.strip_prefix(':').map(|port| (host, Some(port))).ok_or("has text between `]` and the port"),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(inner)
    };
    match host {
        "" => Err("has no host"),
        host if host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label) => Ok((host, port)),
        _ => Err("has a host that is neither a name nor an address (an IPv6 address goes into brackets)"),
    }
}

fn parse_port(digits: &str) -> Result<u16, &'static str> {
    let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = if valid { digits.parse().unwrap_or(0) } else { 0 };
    if port == 0 { Err("has a port that is not a number from 1 to 65535") } else { Ok(port) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::parse;

    #[test]
    fn an_endpoint_falls_into_its_parts() {
        let cases = [
            ("https://api.openai.com/v1", true, "api.openai.com", 443, "/v1", "api.openai.com"),
            ("http://vllm.internal:8000/v1/", false, "vllm.internal", 8000, "/v1", "vllm.internal:8000"),
            ("HTTPS://API.Example.com", true, "api.example.com", 443, "", "api.example.com"),
            ("http://[::1]:11434/", false, "::1", 11434, "", "[::1]:11434"),
            ("http://127.0.0.1", false, "127.0.0.1", 80, "", "127.0.0.1"),
            ("https://a_b.svc/x/y:z", true, "a_b.svc", 443, "/x/y:z", "a_b.svc"),
        ];
        for (text, tls, host, port, path, authority) in cases {
            let endpoint = parse(text).unwrap();
            assert_eq!((endpoint.tls, endpoint.host.as_str(), endpoint.port), (tls, host, port), "{text}");
            assert_eq!((endpoint.path.as_str(), endpoint.authority().as_str()), (path, authority), "{text}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in [
            "",
            "api.openai.com/v1",
            "ftp://a/b",
            "https://",
            "https:///v1",
            "https://a b",
            "https://a/\r\nx: y",
            "https://a?key=1",
            "https://a/#x",
            "https://user:pass@a/v1",
            "https://a:0",
            "https://a:65536",
            "https://a:",
            "https://a:+1",
            "https://::1/",
            "https://[::1",
            "https://[zz]/",
            "https://[::1]8/",
            "https://a..b/",
            "https://é.com/",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
