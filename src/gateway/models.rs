//! What the gateway answers itself: the list of models, and a count of tokens, each in the asking family's shape.

use std::rc::Rc;

use crate::chat::money::TokenPrice;
use crate::chat::wire::Wire;
use crate::codec::writer::Writer;
use crate::gateway::compile::Gateway;
use crate::gateway::credential::principal;
use crate::gateway::refusal::reply_to;
use crate::gateway::step::Reply;
use crate::host::Host;
use crate::http::Headers;
use crate::policy::access::Principal;
use crate::policy::catalog;
use crate::policy::resolve::{AUTO, target_of};
use crate::policy::rules::{Rules, Target};

/// The most models of a list: what vendors with hundreds of models serve is named in the catalogue.
const MOST: usize = 1_000;

/// One line of the list.
struct Line {
    name: String,
    /// The largest of its targets; `None` for a name that stands for several entries.
    target: Option<Rc<Target>>,
}

/// The models that somebody may use.
pub(crate) fn answer(gateway: &Gateway, headers: &Headers, path: Wire, host: &dyn Host) -> Reply {
    let wire = asking(headers, path);
    let principal = match principal(gateway, headers, host.now()) {
        Ok(principal) => principal,
        Err(error) => return reply_to(&error, wire, None),
    };
    let lines = lines(&gateway.rules, &principal);
    let mut writer = Writer::with_capacity(lines.len() * 160 + 64);
    match wire {
        Wire::Messages => of_anthropic(&lines, &mut writer),
        Wire::Gemini => of_gemini(&lines, &mut writer),
        Wire::Chat | Wire::Responses | Wire::Converse | Wire::Cohere => of_openai(&lines, &mut writer),
    }
    let headers = vec![("content-type", "application/json".to_owned())];
    Reply { status: 200, headers, body: writer.into_bytes() }
}

/// OpenAI, Anthropic and Google's newer SDK ask at the same path; their headers tell them apart.
fn asking(headers: &Headers, path: Wire) -> Wire {
    if headers.get("anthropic-version").is_some() {
        Wire::Messages
    } else if headers.get("x-goog-api-key").is_some() || headers.get("x-goog-api-client").is_some() {
        Wire::Gemini
    } else {
        path
    }
}

/// The policy's entries; where it has none, what the catalogue says its providers serve.
fn lines(rules: &Rules, principal: &Principal) -> Vec<Line> {
    let mut lines = Vec::new();
    for name in &rules.model_names {
        let targets = rules.models.get(name).map(Vec::as_slice).unwrap_or_default();
        let allowed = |target: &&Rc<Target>| {
            let region = target.provider.region.as_deref();
            principal.barred_from(&[name, &target.name, &target.model]).is_none()
                && principal.barred_from_region(region).is_none()
        };
        let largest = targets.iter().filter(allowed).max_by_key(|target| target.context_window);
        if let Some(target) = largest {
            lines.push(Line { name: name.clone(), target: Some(Rc::clone(target)) });
        }
    }
    // `auto` ranges over what one may use, whatever one's list calls it.
    if !lines.is_empty() {
        lines.push(Line { name: AUTO.to_owned(), target: None });
    }
    if rules.model_names.is_empty() {
        for provider in &rules.providers {
            for facts in catalog::all().filter(|facts| facts.provider == provider.catalogue) {
                let target = Rc::new(target_of(provider, facts.model));
                let region = provider.region.as_deref();
                if principal.barred_from(&[&target.name, &target.model]).is_none()
                    && principal.barred_from_region(region).is_none()
                {
                    lines.push(Line { name: target.name.clone(), target: Some(target) });
                }
            }
        }
    }
    lines.truncate(MOST);
    lines
}

fn of_openai(lines: &[Line], writer: &mut Writer) {
    writer.object(|writer| {
        writer.key("object").string("list");
        writer.key("data").array(|writer| {
            for line in lines {
                writer.object(|writer| {
                    writer.key("id").string(&line.name);
                    writer.key("object").string("model");
                    writer.key("created").number(0);
                    let owner = line.target.as_ref().map_or("weir", |target| target.provider.name.as_str());
                    writer.key("owned_by").string(owner);
                    facts(line, writer);
                });
            }
        });
    });
}

fn of_anthropic(lines: &[Line], writer: &mut Writer) {
    writer.object(|writer| {
        writer.key("data").array(|writer| {
            for line in lines {
                writer.object(|writer| {
                    writer.key("type").string("model");
                    writer.key("id").string(&line.name);
                    writer.key("display_name").string(&line.name);
                    writer.key("created_at").string("1970-01-01T00:00:00Z");
                    facts(line, writer);
                });
            }
        });
        writer.key("has_more").bool(false);
        match (lines.first(), lines.last()) {
            (Some(first), Some(last)) => {
                writer.key("first_id").string(&first.name);
                writer.key("last_id").string(&last.name);
            }
            _ => {
                writer.key("first_id").null();
                writer.key("last_id").null();
            }
        }
    });
}

fn of_gemini(lines: &[Line], writer: &mut Writer) {
    writer.object(|writer| {
        writer.key("models").array(|writer| {
            for line in lines {
                writer.object(|writer| {
                    writer.key("name").string(&format!("models/{}", line.name));
                    writer.key("displayName").string(&line.name);
                    let target = line.target.as_ref();
                    if let Some(limit) = target.and_then(|target| target.max_input.or(target.context_window)) {
                        writer.key("inputTokenLimit").number(limit);
                    }
                    if let Some(limit) = target.and_then(|target| target.max_output) {
                        writer.key("outputTokenLimit").number(limit);
                    }
                    writer.key("supportedGenerationMethods").array(|writer| {
                        for method in ["generateContent", "streamGenerateContent", "countTokens"] {
                            writer.string(method);
                        }
                    });
                });
            }
        });
    });
}

/// What no vendor's list says and every chooser wants to know; prices in USD per million tokens, as OpenRouter's field is
/// called but by the unit that people compare.
fn facts(line: &Line, writer: &mut Writer) {
    let Some(target) = &line.target else { return };
    if let Some(window) = target.context_window {
        writer.key("context_window").number(window);
    }
    if let Some(limit) = target.max_output {
        writer.key("max_output_tokens").number(limit);
    }
    if let Some(prices) = &target.prices {
        writer.key("price_usd_per_mtok").object(|writer| {
            writer.key("input").float(usd(prices.input));
            writer.key("output").float(usd(prices.output));
        });
    }
}

fn usd(price: TokenPrice) -> f64 {
    price.picos() as f64 / 1e6
}

/// A count of tokens by estimate, in the family's shape.
pub(crate) fn token_count(wire: Wire, tokens: u64) -> Vec<u8> {
    let mut writer = Writer::with_capacity(64);
    writer.object(|writer| {
        writer.key(if wire == Wire::Gemini { "totalTokens" } else { "input_tokens" }).number(tokens);
        // The count is ours and near, not the vendor's and exact.
        writer.key("estimated").bool(true);
    });
    writer.into_bytes()
}
