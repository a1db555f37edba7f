//! `providers`: where models are served and with which credentials. Not which models a provider has.

use crate::chat::family::ApiFamily;
use crate::chat::secret::Secret;
use crate::config::endpoint;
use crate::config::policy::{Aws, Endpoint, Header, KeySource, Provider};
use crate::config::reader::{Fields, Node, check_plain_name, quoted};
use crate::config::report::Report;

const FIELDS: [&str; 10] =
    ["api", "endpoint", "cluster", "key", "catalogue", "region", "labels", "headers", "api_version", "aws"];
const AWS_FIELDS: [&str; 4] = ["access_key_id", "secret_access_key", "session_token", "region"];

/// Headers that Weir or the proxy sets on every attempt; a policy's value would be overwritten or break the message.
const OWNED: [&str; 22] = [
    "anthropic-version",
    "api-key",
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
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
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
    let api = api.and_then(|api| family(&api, report));
    let endpoint = fields.need("endpoint", "write the base URL, as `https://api.openai.com/v1`", report);
    let endpoint = endpoint.and_then(|endpoint| read_endpoint(&endpoint, report));
    let api_version = fields.get("api_version").and_then(|version| read_api_version(&version, api, report));
    let aws = fields.get("aws").and_then(|aws| read_aws(&aws, api, endpoint.as_ref(), report));
    check_credentials(&fields, api, report);
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
        api_version,
        aws,
    }
}

/// Reads the date of Azure's dated paths, as `2024-10-21` or `2025-04-01-preview`.
fn read_api_version(node: &Node<'_>, api: Option<ApiFamily>, report: &mut Report) -> Option<String> {
    let version = node.text(report)?;
    if let Some(api) = api.filter(|api| *api != ApiFamily::AzureOpenAi) {
        let rule = format!("only `api: azure_openai` has dated paths, found `api: {api}`; leave `api_version` out");
        report.problem(&node.path, rule);
        return None;
    }
    let date = version.strip_suffix("-preview").unwrap_or(version);
    let fits = date.len() == 10
        && date.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !fits {
        let rule = "must be a date, as 2024-10-21 or 2025-04-01-preview; leave it out for the paths under /openai/v1";
        report.problem(&node.path, format!("{rule}, found {}", quoted(version)));
        return None;
    }
    Some(version.to_owned())
}

fn read_aws(node: &Node<'_>, api: Option<ApiFamily>, endpoint: Option<&Endpoint>, report: &mut Report) -> Option<Aws> {
    let fields = node.fields(&AWS_FIELDS, report);
    if let Some(api) = api.filter(|api| *api != ApiFamily::Bedrock) {
        let rule =
            format!("only `api: bedrock` signs its requests, found `api: {api}`; put the credential under `key`");
        report.problem(&node.path, rule);
        return None;
    }
    let id = fields.need("access_key_id", "write it as `${AWS_ACCESS_KEY_ID}`", report);
    let secret = fields.need("secret_access_key", "write it as `${AWS_SECRET_ACCESS_KEY}`", report);
    let read =
        |node: Option<Node<'_>>, report: &mut Report| node.and_then(|node| read_source(&node, Bare::Refused, report));
    let access_key_id = read(id, report);
    let secret_access_key = read(secret, report);
    let session_token = read(fields.get("session_token"), report);
    let region = match fields.get("region") {
        Some(region) => read_aws_region(&region, report),
        None => {
            let region = endpoint.and_then(|endpoint| region_of(&endpoint.host));
            if let (None, Some(endpoint)) = (region, endpoint) {
                let rule =
                    "missing, and the endpoint's host names none, as bedrock-runtime.us-east-1.amazonaws.com does";
                let found = quoted(&endpoint.host);
                report.problem(
                    format!("{}.region", node.path),
                    format!("{rule}, found {found}; write the region to sign for"),
                );
            }
            region.map(str::to_owned)
        }
    };
    Some(Aws { access_key_id: access_key_id?, secret_access_key: secret_access_key?, session_token, region: region? })
}

fn read_aws_region(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let region = node.text(report)?;
    if region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Some(region.to_owned());
    }
    report.problem(&node.path, format!("must be an AWS region, as us-east-1, found {}", quoted(region)));
    None
}

/// The region in a Bedrock host, as `bedrock-runtime.us-east-1.amazonaws.com` or a VPC endpoint's name.
fn region_of(host: &str) -> Option<&str> {
    let host = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")?;
    let mut labels = host.split('.');
    labels.find(|label| matches!(*label, "bedrock-runtime" | "bedrock-runtime-fips"))?;
    labels.next()
}

/// Bedrock takes either a key or a signature, and never nothing; no other family knows signatures.
fn check_credentials(fields: &Fields<'_>, api: Option<ApiFamily>, report: &mut Report) {
    if api != Some(ApiFamily::Bedrock) {
        return;
    }
    match (fields.get("key").is_some(), fields.get("aws").is_some()) {
        (true, true) => {
            let rule = "`key` and `aws` are both written, and a request carries one credential; leave out `key` to sign \
                        with `aws`, or `aws` to send the Bedrock API key";
            report.problem(&fields.path, rule);
        }
        (false, false) => {
            let rule = "Bedrock answers nobody without a credential; write `aws: {access_key_id, secret_access_key}` to \
                        sign requests, or `key` for a Bedrock API key";
            report.problem(&fields.path, rule);
        }
        (true, false) | (false, true) => {}
    }
}

/// Reads the name of an API family.
pub fn family(node: &Node<'_>, report: &mut Report) -> Option<ApiFamily> {
    let choices = ApiFamily::ALL.map(|family| (family.name(), family));
    node.choice(&choices, report)
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
