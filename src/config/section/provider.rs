//! `providers`: where models are served and with which credentials. Not which models a provider has.

use crate::chat::family::ApiFamily;
use crate::chat::secret::Secret;
use crate::config::endpoint;
use crate::config::policy::{Endpoint, Header, KeySource, Provider};
use crate::config::reader::{Node, check_plain_name, quoted};
use crate::config::report::Report;

const FIELDS: [&str; 8] = ["api", "endpoint", "cluster", "key", "catalogue", "region", "labels", "headers"];

/// Headers that Weir or the proxy sets on every attempt; a policy's value would be overwritten or break the message.
const OWNED: [&str; 17] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
    "x-goog-api-key",
    "x-request-id",
];
const OWNED_PREFIXES: [&str; 2] = ["x-weir-", "x-envoy-"];

/// Reads the section.
pub fn read(section: &Node<'_>, report: &mut Report) -> Vec<Provider> {
    let entries = section.entries(report);
    if entries.is_empty() && section.is_hollow() && !section.value.is_null() {
        report.problem(&section.path, "must have at least one provider");
    }
    entries.iter().map(|(name, node)| read_one(name, node, report)).collect()
}

fn read_one(name: &str, node: &Node<'_>, report: &mut Report) -> Provider {
    check_plain_name(&node.path, name, report);
    let fields = node.fields(&FIELDS, report);
    let api = fields.need("api", "write `api: openai`, or whichever API the endpoint speaks", report);
    let api = api.and_then(|api| family(&api, report).inspect(|family| note_family(*family, &api, report)));
    let endpoint = fields.need("endpoint", "write the base URL, as `https://api.openai.com/v1`", report);
    let endpoint = endpoint.and_then(|endpoint| read_endpoint(&endpoint, report));
    let text =
        |field: &str, report: &mut Report| fields.get(field).and_then(|node| node.text(report).map(str::to_owned));
    Provider {
        name: name.to_owned(),
        api: api.unwrap_or(ApiFamily::OpenAi),
        endpoint: endpoint.unwrap_or(Endpoint { tls: false, host: String::new(), port: 0, path: String::new() }),
        cluster: text("cluster", report).unwrap_or_else(|| name.to_owned()),
        keys: fields.get("key").map(|keys| read_keys(&keys, report)).unwrap_or_default(),
        catalogue: text("catalogue", report).unwrap_or_else(|| name.to_owned()),
        region: text("region", report),
        labels: fields.get("labels").map(|labels| labels.texts(report)).unwrap_or_default(),
        headers: fields.get("headers").map(|headers| read_headers(&headers, report)).unwrap_or_default(),
    }
}

/// Reads the name of an API family.
pub fn family(node: &Node<'_>, report: &mut Report) -> Option<ApiFamily> {
    let choices = ApiFamily::ALL.map(|family| (family.name(), family));
    node.choice(&choices, report)
}

fn note_family(family: ApiFamily, node: &Node<'_>, report: &mut Report) {
    if family != ApiFamily::OpenAi {
        report.unsupported(&node.path, format_args!("api: {family}"));
    }
}

fn read_endpoint(node: &Node<'_>, report: &mut Report) -> Option<Endpoint> {
    match endpoint::parse(node.prose(report)?) {
        Ok(endpoint) => Some(endpoint),
        Err(rule) => {
            report.problem(&node.path, format!("the endpoint {rule}; write it as `https://host:port/base/path`"));
            None
        }
    }
}

fn read_keys(node: &Node<'_>, report: &mut Report) -> Vec<KeySource> {
    let items = node.one_or_more(report);
    if items.is_empty() && node.value.is_array() {
        report.problem(&node.path, "must not be an empty list; leave `key` out if the provider wants none");
    }
    items.iter().filter_map(|item| read_source(item, Bare::Refused, report)).collect()
}

/// What to make of `$NAME` without braces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bare {
    /// It is text: a header may hold a dollar sign.
    Text,
    /// It is a slip: no vendor's key looks like it.
    Refused,
}

/// Reads a key or header value. No message repeats it.
fn read_source(node: &Node<'_>, bare: Bare, report: &mut Report) -> Option<KeySource> {
    let text = node.text(report)?;
    if text.trim() != text {
        report.problem(&node.path, "must not begin or end with a space");
        return None;
    }
    if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
        && is_variable(name)
    {
        return Some(KeySource::Environment(name.to_owned()));
    }
    if text.contains("${") {
        let rule = "`${NAME}` must be the whole value, NAME made of letters, digits and _ and not begun by a digit";
        report.problem(&node.path, format!("{rule}; put the whole text into one environment variable"));
        return None;
    }
    if bare == Bare::Refused && text.strip_prefix('$').is_some_and(is_variable) {
        report.problem(&node.path, "an environment variable is written with braces, as `${NAME}`");
        return None;
    }
    Some(KeySource::Literal(Secret::new(text)))
}

fn is_variable(name: &str) -> bool {
    let head = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    head && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn read_headers(node: &Node<'_>, report: &mut Report) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for (written, node) in node.entries(report) {
        let name = written.to_ascii_lowercase();
        if !is_header_name(&name) {
            report.problem(&node.path, format!("{} is not a header name", quoted(written)));
        } else if OWNED.contains(&name.as_str()) || OWNED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            let way_out = "leave it out; a credential belongs under the provider's `key`";
            report.problem(&node.path, format!("`{name}` is set by Weir or the proxy; {way_out}"));
        } else if headers.iter().any(|header| header.name == name) {
            report.problem(&node.path, "the same header is written twice, in another case");
        }
        if let Some(value) = read_source(&node, Bare::Text, report) {
            headers.push(Header { name, value });
        }
    }
    headers.sort_by(|left, right| left.name.cmp(&right.name));
    headers
}

/// Whether a text is an HTTP field name (RFC 9110, "token").
pub fn is_header_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.len() <= 256 && name.bytes().all(token)
}
