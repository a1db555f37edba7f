//! The build script: compacts `catalogue.json` into the sections that `policy::catalog` reads in place (see `layout`).
//! Not part of the program.
//!
//! What it does not understand stops the build by name: a model with a wrong price is worse than no build.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::Path;
use std::{env, fs};

use serde_json::{Map, Value};

#[path = "../../chat/capability.rs"]
#[allow(dead_code)]
mod capability;
#[path = "layout.rs"]
#[allow(dead_code)]
mod layout;
#[path = "../../chat/traits.rs"]
#[allow(dead_code)]
mod traits;

use capability::Capability;
use traits::Trait;

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Object = Map<String, Value>;

const SOURCES: [&str; 5] = [
    "src/policy/catalog/build.rs",
    "src/policy/catalog/catalogue.json",
    "src/policy/catalog/layout.rs",
    "src/chat/traits.rs",
    "src/chat/capability.rs",
];

fn main() -> Result<()> {
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let catalogue: Value =
        serde_json::from_slice(&fs::read(Path::new(&root).join("src/policy/catalog/catalogue.json"))?)?;
    let sections = compact(catalogue.get("models").and_then(Value::as_array).ok_or("no list of models")?)?;
    let target = env::var("OUT_DIR")?;
    for (name, bytes) in [
        ("names", sections.names.as_bytes()),
        ("providers", &sections.providers),
        ("models", &sections.models),
        ("facts", &sections.facts.bytes),
    ] {
        fs::write(Path::new(&target).join(format!("catalogue.{name}")), bytes)?;
    }
    Ok(())
}

#[derive(Default)]
struct Sections {
    names: String,
    providers: Vec<u8>,
    models: Vec<u8>,
    facts: Facts,
}

fn compact(models: &[Value]) -> Result<Sections> {
    let mut by_provider: BTreeMap<&str, BTreeMap<&str, &Object>> = BTreeMap::new();
    for model in models {
        let model = model.as_object().ok_or("a model is not an object")?;
        let (provider, name) = (text(model, "provider")?, text(model, "model")?);
        if by_provider.entry(provider).or_default().insert(name, model).is_some() {
            return Err(format!("{provider}/{name} is there twice").into());
        }
    }
    let all_names = by_provider.iter().flat_map(|(provider, models)| models.keys().chain([provider]).copied());
    let mut sections = Sections { names: overlaid(all_names.collect()), ..Sections::default() };
    let mut first = 0;
    for (provider, models) in &by_provider {
        put_name(&mut sections.providers, &sections.names, provider)?;
        put(&mut sections.providers, first, 2)?;
        put(&mut sections.providers, models.len(), 2)?;
        first += models.len();
        for (name, model) in models {
            let place = |error: Box<dyn Error>| format!("{provider}/{name}: {error}");
            put_name(&mut sections.models, &sections.names, name)?;
            let limits = sections.facts.place(limits(model).map_err(place)?);
            put(&mut sections.models, limits, 3)?;
            let prices = sections.facts.place(prices(model).map_err(place)?);
            put(&mut sections.models, prices, 3)?;
        }
    }
    Ok(sections)
}

/// One text that holds every name as a slice; a name inside a longer one costs nothing.
fn overlaid(mut names: Vec<&str>) -> String {
    names.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    names.dedup();
    names.into_iter().fold(String::new(), |mut all, name| {
        if !all.contains(name) {
            all.push_str(name);
        }
        all
    })
}

/// Variable records, each kept once.
#[derive(Default)]
struct Facts {
    bytes: Vec<u8>,
    offsets: HashMap<Vec<u8>, usize>,
}

impl Facts {
    fn place(&mut self, record: Vec<u8>) -> usize {
        if let Some(offset) = self.offsets.get(&record) {
            return *offset;
        }
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(&record);
        self.offsets.insert(record, offset);
        offset
    }
}

fn limits(model: &Object) -> Result<Vec<u8>> {
    let mut record = vec![match text(model, "mode")? {
        "chat" => layout::KIND_CHAT,
        "embedding" => layout::KIND_EMBEDDING,
        other => return Err(format!("unknown mode {other:?}").into()),
    }];
    for field in ["context_window", "max_input_tokens", "max_output_tokens"] {
        put_optional(&mut record, tokens(model, field)?);
    }
    put_number(&mut record, capability_bits(model)?);
    put_number(&mut record, trait_bits(model)?);
    let retires = model.get("deprecation_date").map(day).transpose()?;
    put_optional(&mut record, retires);
    Ok(record)
}

fn capability_bits(model: &Object) -> Result<u64> {
    let mut bits = 0;
    for name in texts(model, "capabilities")? {
        let capability = Capability::parse(name).ok_or_else(|| format!("unknown capability {name:?}"))?;
        bits |= 1 << (capability as u8);
    }
    if text(model, "mode")? == "embedding" {
        bits |= 1 << (Capability::Embedding as u8);
    }
    Ok(bits)
}

fn trait_bits(model: &Object) -> Result<u64> {
    let mut bits = 0;
    for name in texts(model, "traits")? {
        let one = Trait::parse(name).ok_or_else(|| format!("unknown trait {name:?}"))?;
        bits |= u64::from(one.bit());
    }
    if texts(model, "endpoints")? == ["responses"] {
        bits |= u64::from(Trait::ResponsesOnly.bit());
    }
    Ok(bits)
}

fn prices(model: &Object) -> Result<Vec<u8>> {
    let (Some(input), Some(output)) = (picos(model, "input_usd_per_mtok")?, picos(model, "output_usd_per_mtok")?)
    else {
        return Ok(vec![0]);
    };
    let mut flags = layout::PRICED;
    let mut record = vec![0];
    put_number(&mut record, input);
    put_number(&mut record, output);
    for (flag, field) in [
        (layout::CACHE_READ, "cache_read_usd_per_mtok"),
        (layout::CACHE_WRITE, "cache_write_usd_per_mtok"),
        (layout::CACHE_WRITE_1H, "cache_write_1h_usd_per_mtok"),
        (layout::REASONING, "reasoning_usd_per_mtok"),
    ] {
        if let Some(price) = picos(model, field)? {
            flags |= flag;
            put_number(&mut record, price);
        }
    }
    let special: Vec<_> = ["long_context_tiers", "price_changes", "off_peak"]
        .into_iter()
        .filter(|field| model.contains_key(*field))
        .collect();
    if let [_, _, ..] = special.as_slice() {
        return Err(format!("what {} mean together is not known", special.join(" and ")).into());
    }
    flags |= put_rates(&mut record, model, layout::TIERS, "long_context_tiers", |tier| {
        tokens(tier, "above_input_tokens")?.ok_or_else(|| "a tier without above_input_tokens".into())
    })?;
    flags |= put_rates(&mut record, model, layout::CHANGES, "price_changes", |change| {
        Ok(day(change.get("from").ok_or("a price change without from")?)? * 86_400)
    })?;
    if let Some(off_peak) = model.get("off_peak") {
        flags |= layout::OFF_PEAK;
        put_off_peak(&mut record, off_peak.as_object().ok_or("off_peak is not an object")?)?;
    }
    if let Some(first) = record.first_mut() {
        *first = flags;
    }
    Ok(record)
}

/// Writes a list of rates in ascending order of what `threshold` finds; returns its flag, or none if there is no list.
fn put_rates(
    record: &mut Vec<u8>,
    model: &Object,
    flag: u8,
    field: &str,
    threshold: impl Fn(&Object) -> Result<u64>,
) -> Result<u8> {
    let Some(list) = model.get(field) else { return Ok(0) };
    let mut rates = Vec::new();
    for rate in list.as_array().ok_or_else(|| format!("{field} is not a list"))? {
        let rate = rate.as_object().ok_or_else(|| format!("{field} holds no objects"))?;
        rates.push((threshold(rate)?, rate));
    }
    rates.sort_by_key(|(threshold, _)| *threshold);
    put_number(record, rates.len() as u64);
    for (threshold, rate) in rates {
        put_number(record, threshold);
        put_rate(record, rate)?;
    }
    Ok(flag)
}

fn put_rate(record: &mut Vec<u8>, rate: &Object) -> Result<()> {
    const KNOWN: [&str; 7] = [
        "input_usd_per_mtok",
        "output_usd_per_mtok",
        "cache_read_usd_per_mtok",
        "cache_write_usd_per_mtok",
        "above_input_tokens",
        "from",
        "windows",
    ];
    if let Some(other) = rate.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!("unknown member {other:?} of a price").into());
    }
    put_number(record, picos(rate, "input_usd_per_mtok")?.ok_or("a tier, change or off-peak price without input")?);
    put_number(record, picos(rate, "output_usd_per_mtok")?.ok_or("a tier, change or off-peak price without output")?);
    put_optional(record, picos(rate, "cache_read_usd_per_mtok")?);
    put_optional(record, picos(rate, "cache_write_usd_per_mtok")?);
    Ok(())
}

fn put_off_peak(record: &mut Vec<u8>, off_peak: &Object) -> Result<()> {
    put_rate(record, off_peak)?;
    let mut windows = Vec::new();
    for window in off_peak.get("windows").and_then(Value::as_array).ok_or("off_peak without windows")? {
        let window = window.as_object().ok_or("an off-peak window is not an object")?;
        let mut days = 0;
        for day in window.get("weekdays").and_then(Value::as_array).ok_or("an off-peak window without weekdays")? {
            let day = day.as_u64().filter(|day| (1..=7).contains(day)).ok_or("a weekday is not 1 to 7")?;
            days |= 1 << (day - 1);
        }
        let spans = match window.get("hours_utc") {
            Some(Value::String(span)) => vec![span.as_str()],
            _ => texts(window, "hours_utc")?,
        };
        for span in spans {
            let (from, to) = span.split_once('-').ok_or_else(|| format!("hours {span:?} are not a span"))?;
            let (from, to) = (minute(from)?, minute(to)?);
            let to = if to == 0 { 1440 } else { to };
            if from >= to {
                return Err(format!("hours {span:?} run over midnight").into());
            }
            windows.extend([days, from, to]);
        }
    }
    put_number(record, windows.len() as u64 / 3);
    windows.into_iter().for_each(|number| put_number(record, number));
    Ok(())
}

fn text<'a>(object: &'a Object, field: &str) -> Result<&'a str> {
    object.get(field).and_then(Value::as_str).ok_or_else(|| format!("{field} is not a text").into())
}

/// A list of texts; empty when absent.
fn texts<'a>(object: &'a Object, field: &str) -> Result<Vec<&'a str>> {
    let Some(list) = object.get(field) else {
        return Ok(Vec::new());
    };
    let texts = list.as_array().and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    texts.ok_or_else(|| format!("{field} is not a list of texts").into())
}

fn tokens(object: &Object, field: &str) -> Result<Option<u64>> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            value.as_u64().map(Some).ok_or_else(|| format!("{field} {value} is not a count of tokens").into())
        }
    }
}

/// A price as whole pico-dollars a token.
fn picos(object: &Object, field: &str) -> Result<Option<u64>> {
    let Some(value) = object.get(field).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let picos = value.as_f64().ok_or_else(|| format!("{field} {value} is not a number"))? * 1e6;
    let whole = picos.round();
    if !(0.0..1e12).contains(&whole) || (picos - whole).abs() > 1e-3 {
        return Err(format!("{field} {value} is negative, vast or has more than six decimals").into());
    }
    Ok(Some(whole as u64))
}

/// A date as days since the Unix epoch (Hinnant's days from civil).
fn day(date: &Value) -> Result<u64> {
    let bad = || format!("{date} is not a date like 2027-01-01");
    let parts =
        date.as_str().ok_or_else(bad)?.split('-').map(str::parse).collect::<std::result::Result<Vec<u64>, _>>()?;
    let [year @ 1970..=9999, month @ 1..=12, day @ 1..=31] = *parts.as_slice() else {
        return Err(bad().into());
    };
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + day_of_year;
    Ok(year / 400 * 146_097 + day_of_era - 719_468)
}

fn minute(time: &str) -> Result<u64> {
    let (hours, minutes) = time.split_once(':').ok_or_else(|| format!("{time:?} is not a time"))?;
    match (hours.parse::<u64>()?, minutes.parse::<u64>()?) {
        (hours @ 0..=23, minutes @ 0..=59) => Ok(hours * 60 + minutes),
        _ => Err(format!("{time:?} is not a time").into()),
    }
}

fn put_name(record: &mut Vec<u8>, names: &str, name: &str) -> Result<()> {
    put(record, names.find(name).ok_or_else(|| format!("{name:?} is not among the names"))?, 3)?;
    put(record, name.len(), 1)
}

/// Writes the low `bytes` bytes of a number that must fit them.
fn put(record: &mut Vec<u8>, number: usize, bytes: usize) -> Result<()> {
    let all = (number as u64).to_le_bytes();
    let (low, high) = all.split_at(bytes);
    if high.iter().any(|byte| *byte != 0) {
        return Err(format!("{number} does not fit {bytes} bytes: the catalogue outgrew its layout").into());
    }
    record.extend_from_slice(low);
    Ok(())
}

fn put_number(record: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        record.push(number as u8 | 0x80);
        number >>= 7;
    }
    record.push(number as u8);
}

fn put_optional(record: &mut Vec<u8>, number: Option<u64>) {
    put_number(record, number.map_or(0, |number| number.saturating_add(1)));
}
