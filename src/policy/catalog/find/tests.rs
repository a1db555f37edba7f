//! The compacted catalogue against the JSON that it was made from.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use serde_json::Value;

use super::{all, find, has_provider, providers, providers_of};
use crate::chat::capability::Capability;
use crate::chat::money::TokenPrice;
use crate::chat::traits::Trait;
use crate::chat::usage::Usage;
use crate::host::Timestamp;
use crate::policy::catalog::facts::{ModelFacts, ModelKind};
use crate::policy::price::{Prices, Rate};

fn models() -> Vec<Value> {
    let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/src/policy/catalog/catalogue.json")).unwrap();
    let Value::Object(mut catalogue) = serde_json::from_slice(&text).unwrap() else { panic!("not an object") };
    let Value::Array(models) = catalogue.remove("models").unwrap() else { panic!("not a list") };
    models
}

fn usd(value: &Value) -> Option<TokenPrice> {
    value.as_f64().map(|usd| TokenPrice::from_usd_per_mtok(usd).expect("six decimals"))
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().map(|name| name.as_str().unwrap()).collect()
}

/// The first second of a date, counted by hand over the years.
fn date(text: &str) -> Timestamp {
    let [year, month, day] = text.split('-').map(|part| part.parse::<u64>().unwrap()).collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    let leap = |year: u64| u64::from(year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)));
    let years: u64 = (1970..year).map(|year| 365 + leap(year)).sum();
    let months: u64 =
        [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().take(month as usize - 1).sum();
    Timestamp::from_secs((years + months + day - 1) * 86_400)
}

fn assert_rate(rate: &Rate, json: &Value) {
    assert_eq!(Some(rate.input), usd(&json["input_usd_per_mtok"]));
    assert_eq!(Some(rate.output), usd(&json["output_usd_per_mtok"]));
    assert_eq!(rate.cache_read, usd(&json["cache_read_usd_per_mtok"]));
    assert_eq!(rate.cache_write, usd(&json["cache_write_usd_per_mtok"]));
}

fn assert_prices(prices: &Prices, json: &Value) {
    assert_eq!(Some(prices.input), usd(&json["input_usd_per_mtok"]));
    assert_eq!(Some(prices.output), usd(&json["output_usd_per_mtok"]));
    assert_eq!(prices.cache_read, usd(&json["cache_read_usd_per_mtok"]));
    assert_eq!(prices.cache_write, usd(&json["cache_write_usd_per_mtok"]));
    assert_eq!(prices.cache_write_1h, usd(&json["cache_write_1h_usd_per_mtok"]));
    assert_eq!(prices.reasoning, usd(&json["reasoning_usd_per_mtok"]));

    let mut tiers = json["long_context_tiers"].as_array().cloned().unwrap_or_default();
    tiers.sort_by_key(|tier| tier["above_input_tokens"].as_u64());
    assert_eq!(prices.tiers.len(), tiers.len());
    for (tier, json) in prices.tiers.iter().zip(&tiers) {
        assert_eq!(Some(tier.above_input_tokens), json["above_input_tokens"].as_u64());
        assert_rate(&tier.rate, json);
    }

    let changes = json["price_changes"].as_array().cloned().unwrap_or_default();
    assert_eq!(prices.changes.len(), changes.len());
    for (change, json) in prices.changes.iter().zip(&changes) {
        assert_eq!(change.from, date(json["from"].as_str().unwrap()));
        assert_rate(&change.rate, json);
    }

    assert_eq!(prices.off_peak.is_some(), json.get("off_peak").is_some());
    if let Some(off_peak) = &prices.off_peak {
        assert_rate(&off_peak.rate, &json["off_peak"]);
        let windows: Vec<String> = off_peak
            .windows
            .iter()
            .map(|window| {
                let time = |minute: u16| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
                format!("{} {}-{}", window.days, time(window.from_minute), time(window.to_minute))
            })
            .collect();
        let mut written = Vec::new();
        for window in json["off_peak"]["windows"].as_array().unwrap() {
            let days: u64 =
                window["weekdays"].as_array().unwrap().iter().map(|day| 1 << (day.as_u64().unwrap() - 1)).sum();
            let spans = window["hours_utc"].as_array().cloned().unwrap_or_else(|| vec![window["hours_utc"].clone()]);
            written.extend(spans.iter().map(|span| format!("{days} {}", span.as_str().unwrap())));
        }
        assert_eq!(windows, written);
    }
}

fn assert_same(facts: &ModelFacts, json: &Value) {
    let embedding = json["mode"] == "embedding";
    assert_eq!(facts.kind, if embedding { ModelKind::Embedding } else { ModelKind::Chat });
    assert_eq!(facts.context_window, json["context_window"].as_u64());
    assert_eq!(facts.max_input, json["max_input_tokens"].as_u64());
    assert_eq!(facts.max_output, json["max_output_tokens"].as_u64());
    assert_eq!(facts.retires, json["deprecation_date"].as_str().map(date));

    let mut capabilities = names(&json["capabilities"]);
    capabilities.extend(embedding.then_some("embedding"));
    assert_eq!(facts.capabilities.iter().map(Capability::name).collect::<BTreeSet<_>>(), capabilities);
    let mut traits = names(&json["traits"]);
    traits.extend((names(&json["endpoints"]) == BTreeSet::from(["responses"])).then_some("responses_only"));
    assert_eq!(facts.traits.iter().map(Trait::name).collect::<BTreeSet<_>>(), traits);

    let priced = json["input_usd_per_mtok"].is_number() && json["output_usd_per_mtok"].is_number();
    assert_eq!(facts.prices.is_some(), priced);
    if let Some(prices) = &facts.prices {
        assert_prices(prices, json);
    }
}

#[test]
fn every_model_of_the_source_is_found_with_the_same_facts() {
    let models = models();
    assert_eq!(models.len(), 2_511);
    for json in &models {
        let (provider, model) = (json["provider"].as_str().unwrap(), json["model"].as_str().unwrap());
        let facts = find(provider, model).unwrap_or_else(|| panic!("{provider}/{model} is missing"));
        assert_eq!((facts.provider, facts.model), (provider, model));
        assert_same(&facts, json);
    }
}

#[test]
fn all_lists_every_model_once_in_order() {
    let listed: Vec<_> = all().map(|facts| (facts.provider, facts.model)).collect();
    assert_eq!(listed.len(), 2_511);
    assert!(listed.is_sorted_by(|one, next| one < next));
    assert_eq!(providers().count(), 40);
}

#[test]
fn unknown_names_are_not_found() {
    for (provider, model) in [
        ("openai", "no-such-model"),
        ("openai", ""),
        ("", ""),
        ("nobody", "gpt-5"),
        ("zzz", "zzz"),
        ("openai", "\u{10ffff}"),
    ] {
        assert_eq!(find(provider, model), None, "{provider}/{model}");
    }
    assert!(has_provider("openai") && has_provider("zhipu") && !has_provider("OpenAI") && !has_provider(""));
}

#[test]
fn a_bare_name_leads_to_everyone_who_serves_it() {
    let models = models();
    for name in ["gpt-5-mini", "claude-sonnet-4-5", "jamba-1.5", "no-such-model"] {
        let expected: BTreeSet<_> =
            models.iter().filter(|json| json["model"] == name).map(|json| json["provider"].as_str().unwrap()).collect();
        assert_eq!(providers_of(name).into_iter().collect::<BTreeSet<_>>(), expected, "{name}");
    }
}

#[test]
fn a_dated_price_of_the_catalogue_takes_effect() {
    let prices = find("gemini", "gemini-4-argon").unwrap().prices.unwrap();
    let usage = Usage { input: 1_000_000, cache_read: 500_000, output: 100_000, ..Usage::default() };
    assert_eq!(prices.cost(&usage, date("2026-11-30")).micros(), 1_000_000 + 50_000 + 1_000_000);
    assert_eq!(prices.cost(&usage, date("2026-12-01")).micros(), 2_000_000 + 100_000 + 2_000_000);
}
