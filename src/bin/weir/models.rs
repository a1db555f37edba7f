//! `weir models`: the built-in catalogue as a table or as JSON. No policy is read.

use std::borrow::Cow;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use weir::chat::capability::{Capabilities, Capability};
use weir::chat::money::TokenPrice;
use weir::chat::traits::Trait;
use weir::host::Timestamp;
use weir::policy::catalog::{self, ModelFacts, ModelKind};
use weir::policy::price::{OffPeak, Prices, Rate};

/// A name longer than this stands on a line of its own.
const WIDEST_NAME: usize = 48;

#[derive(clap::Args)]
pub struct Args {
    /// Part of `provider/model`, in any case.
    query: Option<String>,
    /// Models of this provider alone, by the catalogue's name.
    #[arg(long)]
    provider: Option<String>,
    /// One JSON document: a list of models with all that is known of them.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<ExitCode, String> {
    let models = select(args)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if args.json { write_json(&mut out, &models) } else { write_table(&mut out, &models) };
    match written.and_then(|()| out.flush()) {
        // Who reads has seen enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(format!("cannot write to standard output: {error}")),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// The models asked for; an error when there are none.
fn select(args: &Args) -> Result<Vec<ModelFacts>, String> {
    if let Some(provider) = args.provider.as_deref().filter(|provider| !catalog::has_provider(provider)) {
        let hint = match catalog::nearest_provider(provider) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("it has {}", catalog::providers().collect::<Vec<_>>().join(", ")),
        };
        return Err(format!("no provider \"{provider}\" in the catalogue; {hint}"));
    }
    let query = args.query.as_deref().unwrap_or_default().to_ascii_lowercase();
    let models: Vec<_> = catalog::all()
        .filter(|facts| args.provider.as_deref().is_none_or(|provider| facts.provider == provider))
        .filter(|facts| full_name(facts).to_ascii_lowercase().contains(&query))
        .collect();
    if models.is_empty() {
        let whom = args.provider.as_deref().map(|provider| format!(" of {provider}")).unwrap_or_default();
        return Err(format!("no model{whom} matches \"{}\"", args.query.as_deref().unwrap_or_default()));
    }
    Ok(models)
}

fn full_name(facts: &ModelFacts) -> String {
    format!("{}/{}", facts.provider, facts.model)
}

fn write_table(out: &mut impl Write, models: &[ModelFacts]) -> io::Result<()> {
    let names = models.iter().map(|facts| full_name(facts).len()).filter(|length| *length <= WIDEST_NAME);
    let width = names.max().unwrap_or(0).max("PROVIDER/MODEL".len());
    let row = |out: &mut dyn Write, name: &str, cells: [&str; 6]| {
        let [context, output, input, answer, read, capabilities] = cells;
        let line = format!("{name:<width$} {context:>10} {output:>9} {input:>8} {answer:>8} {read:>8}  {capabilities}");
        writeln!(out, "{}", line.trim_end())
    };
    row(out, "PROVIDER/MODEL", ["CONTEXT", "MAX OUT", "IN", "OUT", "CACHED", "CAN"])?;
    for facts in models {
        let name = full_name(facts);
        let name = if name.len() > width {
            writeln!(out, "{name}")?;
            Cow::Borrowed("")
        } else {
            Cow::Owned(name)
        };
        let prices = facts.prices.as_ref();
        let mark = if prices.is_some_and(has_more) { "*" } else { "" };
        row(
            out,
            &name,
            [
                &count(facts.context_window),
                &count(facts.max_output),
                &usd(prices.map(|prices| prices.input)),
                &(usd(prices.map(|prices| prices.output)) + mark),
                &usd(prices.and_then(|prices| prices.cache_read)),
                &letters(facts.capabilities),
            ],
        )?;
    }
    let legend: Vec<_> = Capability::ALL.iter().map(|one| format!("{} {}", letter(*one), one.name())).collect();
    let (first, second) = legend.split_at(legend.len() / 2);
    writeln!(
        out,
        "\nUSD per million tokens; - is unknown or not offered; * long input, hours or dates change it (see --json)"
    )?;
    writeln!(out, "{}", first.join(", "))?;
    writeln!(out, "{}", second.join(", "))
}

/// Whether the list price is not the whole story.
fn has_more(prices: &Prices) -> bool {
    !prices.tiers.is_empty() || !prices.changes.is_empty() || prices.off_peak.is_some()
}

fn count(tokens: Option<u64>) -> String {
    let Some(tokens) = tokens else { return "-".to_owned() };
    let digits = tokens.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// At least two decimals, and as many as the price has.
fn usd(price: Option<TokenPrice>) -> String {
    let Some(price) = price else { return "-".to_owned() };
    let exact = format!("{}.{:06}", price.picos() / 1_000_000, price.picos() % 1_000_000);
    let trimmed = exact.trim_end_matches('0');
    let shortest = exact.len() - 4;
    exact.get(..trimmed.len().max(shortest)).unwrap_or(&exact).to_owned()
}

fn letters(capabilities: Capabilities) -> String {
    Capability::ALL.into_iter().map(|one| if capabilities.has(one) { letter(one) } else { '.' }).collect()
}

fn letter(capability: Capability) -> char {
    match capability {
        Capability::Tools => 't',
        Capability::Reasoning => 'r',
        Capability::JsonSchema => 'j',
        Capability::Vision => 'v',
        Capability::ToolChoice => 'c',
        Capability::PromptCaching => '$',
        Capability::Pdf => 'p',
        Capability::ParallelTools => '+',
        Capability::WebSearch => 'w',
        Capability::ComputerUse => 'u',
        Capability::Prefill => 'f',
        Capability::AudioIn => 'a',
        Capability::VideoIn => 'm',
        Capability::UrlContext => 'l',
        Capability::AudioOut => 'A',
        Capability::Embedding => 'e',
    }
}

fn write_json(out: &mut impl Write, models: &[ModelFacts]) -> io::Result<()> {
    let models: Vec<_> = models.iter().map(facts_json).collect();
    serde_json::to_writer_pretty(&mut *out, &models).map_err(io::Error::from)?;
    writeln!(out)
}

fn facts_json(facts: &ModelFacts) -> Value {
    json!({
        "provider": facts.provider,
        "model": facts.model,
        "kind": match facts.kind {
            ModelKind::Chat => "chat",
            ModelKind::Embedding => "embedding",
        },
        "context_window": facts.context_window,
        "max_input": facts.max_input,
        "max_output": facts.max_output,
        "capabilities": facts.capabilities.iter().map(Capability::name).collect::<Vec<_>>(),
        "traits": facts.traits.iter().map(Trait::name).collect::<Vec<_>>(),
        "retires": facts.retires.map(Timestamp::secs).map(date),
        "usd_per_mtok": facts.prices.as_ref().map(prices_json),
    })
}

fn prices_json(prices: &Prices) -> Value {
    let list = Rate {
        input: prices.input,
        output: prices.output,
        cache_read: prices.cache_read,
        cache_write: prices.cache_write,
    };
    let mut all = rate_json(&list);
    all.extend([
        ("cache_write_1h".to_owned(), json!(prices.cache_write_1h.map(number))),
        ("reasoning".to_owned(), json!(prices.reasoning.map(number))),
    ]);
    let tiers = prices.tiers.iter().map(|tier| with(&tier.rate, "above_input_tokens", json!(tier.above_input_tokens)));
    let changes = prices.changes.iter().map(|change| with(&change.rate, "from", json!(date(change.from.secs()))));
    all.extend([
        ("tiers".to_owned(), tiers.collect()),
        ("changes".to_owned(), changes.collect()),
        ("off_peak".to_owned(), json!(prices.off_peak.as_ref().map(off_peak_json))),
    ]);
    Value::Object(all)
}

fn rate_json(rate: &Rate) -> Map<String, Value> {
    Map::from_iter([
        ("input".to_owned(), json!(number(rate.input))),
        ("output".to_owned(), json!(number(rate.output))),
        ("cache_read".to_owned(), json!(rate.cache_read.map(number))),
        ("cache_write".to_owned(), json!(rate.cache_write.map(number))),
    ])
}

fn with(rate: &Rate, field: &str, value: Value) -> Value {
    let mut object = rate_json(rate);
    object.insert(field.to_owned(), value);
    Value::Object(object)
}

fn off_peak_json(off_peak: &OffPeak) -> Value {
    let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let windows = off_peak.windows.iter().map(|window| {
        json!({
            "weekdays": (1..=7).filter(|day| window.days >> (day - 1) & 1 == 1).collect::<Vec<u8>>(),
            "from_utc": time(window.from_minute),
            "to_utc": time(window.to_minute),
        })
    });
    with(&off_peak.rate, "windows", windows.collect())
}

fn number(price: TokenPrice) -> f64 {
    price.picos() as f64 / 1e6
}

/// A day as `2027-01-01` (Hinnant's civil from days).
fn date(secs: u64) -> String {
    let days = secs / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use std::collections::BTreeSet;

    use serde_json::Value;
    use weir::chat::capability::Capability;
    use weir::chat::money::TokenPrice;

    use super::{Args, count, date, letter, select, usd, write_json, write_table};

    fn ask(query: &str, provider: Option<&str>) -> Args {
        Args { query: Some(query.to_owned()), provider: provider.map(str::to_owned), json: false }
    }

    fn table(args: &Args) -> String {
        let mut out = Vec::new();
        write_table(&mut out, &select(args).unwrap()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_whole_catalogue_fits_120_columns() {
        let table = table(&ask("", None));
        assert!(table.lines().count() > 2_511);
        for line in table.lines() {
            assert!(line.len() <= 120, "{line}");
        }
    }

    #[test]
    fn a_query_matches_any_part_of_the_name_in_any_case() {
        let models = select(&ask("OpenAI/GPT-5-MINI", None)).unwrap();
        assert!(models.iter().any(|facts| (facts.provider, facts.model) == ("openai", "gpt-5-mini")));
        assert!(models.iter().all(|facts| super::full_name(facts).to_lowercase().contains("openai/gpt-5-mini")));
        let models = select(&ask("gpt", Some("azure"))).unwrap();
        assert!(models.iter().all(|facts| facts.provider == "azure"));
    }

    #[test]
    fn what_nobody_has_is_an_error_with_a_way_out() {
        assert_eq!(select(&ask("no-such", None)).unwrap_err(), "no model matches \"no-such\"");
        assert_eq!(select(&ask("no-such", Some("xai"))).unwrap_err(), "no model of xai matches \"no-such\"");
        let error = select(&ask("", Some("opneai"))).unwrap_err();
        assert_eq!(error, "no provider \"opneai\" in the catalogue; did you mean \"openai\"?");
    }

    #[test]
    fn json_is_one_document_of_every_model() {
        let mut out = Vec::new();
        write_json(&mut out, &select(&ask("", None)).unwrap()).unwrap();
        let Value::Array(models) = serde_json::from_slice(&out).unwrap() else { panic!("not a list") };
        assert_eq!(models.len(), 2_511);
        let argon = models.iter().find(|model| model["model"] == "gemini-4-argon").unwrap();
        assert_eq!(argon["usd_per_mtok"]["changes"][0]["from"], "2026-12-01");
        assert_eq!(argon["usd_per_mtok"]["changes"][0]["input"], 4.0);
    }

    #[test]
    fn figures_are_exact() {
        assert_eq!(count(Some(1_048_576)), "1,048,576");
        assert_eq!(count(Some(999)), "999");
        assert_eq!(count(None), "-");
        for (picos, written) in
            [(1_250_000, "1.25"), (75_000, "0.075"), (0, "0.00"), (360_000_000, "360.00"), (1, "0.000001")]
        {
            assert_eq!(usd(Some(TokenPrice::from_picos(picos))), written);
        }
        for (day, written) in
            [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_454, "2026-01-01"), (20_818, "2026-12-31")]
        {
            assert_eq!(date(day * 86_400), written);
        }
    }

    #[test]
    fn every_capability_has_its_own_letter() {
        let letters: BTreeSet<_> = Capability::ALL.into_iter().map(letter).collect();
        assert_eq!(letters.len(), Capability::ALL.len());
    }
}
