//! A cursor over a JSON value that knows its path and tells every problem to a `Report`. It knows JSON, not policies.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::chat::money::{Money, TokenPrice};
use crate::config::duration;
use crate::config::report::Report;
use crate::config::suggest;

/// Entries that one list or map may hold; a bound on the work, far above what people write.
const MOST_ENTRIES: usize = 100_000;
/// The longest name, in bytes.
const LONGEST_NAME: usize = 128;
/// The longest text that is no prompt, in bytes.
const LONGEST_TEXT: usize = 4096;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node<'v> {
    pub value: &'v Value,
    pub path: String,
}

/// An object whose fields are known by name.
pub struct Fields<'v> {
    map: Option<&'v Map<String, Value>>,
    pub path: String,
}

impl<'v> Node<'v> {
    /// The value as an object with these fields and no others.
    pub fn fields(&self, known: &[&str], report: &mut Report) -> Fields<'v> {
        let map = self.object(report);
        for name in map.into_iter().flat_map(Map::keys).filter(|name| !known.contains(&name.as_str())) {
            let path = join(&self.path, name);
            match suggest::closest(name, known.iter().copied()) {
                Some(meant) => report.problem(path, format!("unknown field, did you mean \"{meant}\"?")),
                None => report.problem(path, format!("unknown field; known here: {}", known.join(", "))),
            }
        }
        Fields { map, path: self.path.clone() }
    }

    /// The value as a map from names that the writer chose, sorted by name.
    pub fn entries(&self, report: &mut Report) -> Vec<(&'v str, Node<'v>)> {
        let Some(map) = self.object(report) else {
            return Vec::new();
        };
        self.check_count(map.len(), report);
        let node =
            |(name, value): (&'v String, &'v Value)| (name.as_str(), Node { value, path: join(&self.path, name) });
        let mut entries: Vec<(&str, Node<'v>)> = map.iter().take(MOST_ENTRIES).map(node).collect();
        entries.sort_by_key(|(name, _)| *name);
        entries
    }

    /// The value as a list.
    pub fn items(&self, report: &mut Report) -> Vec<Node<'v>> {
        let Value::Array(items) = self.value else {
            self.wrong_type("a list", report);
            return Vec::new();
        };
        self.check_count(items.len(), report);
        let node = |(index, value): (usize, &'v Value)| Node { value, path: format!("{}[{index}]", self.path) };
        items.iter().take(MOST_ENTRIES).enumerate().map(node).collect()
    }

    /// The value as a list, or the value alone where one is written without its list.
    pub fn one_or_more(&self, report: &mut Report) -> Vec<Node<'v>> {
        if self.value.is_string() || self.value.is_number() { vec![self.clone()] } else { self.items(report) }
    }

    /// The value as a list of texts; one text stands for a list of one.
    pub fn texts(&self, report: &mut Report) -> Vec<String> {
        let items = self.one_or_more(report);
        items.iter().filter_map(|item| item.text(report)).map(str::to_owned).collect()
    }

    /// The value as a text: not empty, without control characters, of a sane length.
    pub fn text(&self, report: &mut Report) -> Option<&'v str> {
        let text = self.prose(report)?;
        if text.is_empty() {
            report.problem(&self.path, "must not be empty; leave the field out instead");
        } else if text.chars().any(char::is_control) {
            report.problem(&self.path, "must hold no line break, NUL or other control character");
        } else if text.len() > LONGEST_TEXT {
            report.problem(&self.path, format!("must be at most {LONGEST_TEXT} bytes, has {}", text.len()));
        } else {
            return Some(text);
        }
        None
    }

    /// The value as text of any length and content.
    pub fn prose(&self, report: &mut Report) -> Option<&'v str> {
        if let Value::String(text) = self.value {
            return Some(text);
        }
        self.wrong_type("a string", report);
        None
    }

    /// The value as `true` or `false`.
    pub fn flag(&self, report: &mut Report) -> Option<bool> {
        if let Value::Bool(flag) = self.value {
            return Some(*flag);
        }
        self.wrong_type("true or false", report);
        None
    }

    /// The value as a number within `range`.
    pub fn number(&self, range: RangeInclusive<f64>, report: &mut Report) -> Option<f64> {
        let number = self.any_number(report)?;
        if range.contains(&number) {
            return Some(number);
        }
        report.problem(&self.path, format!("must be from {} to {}, found {number}", range.start(), range.end()));
        None
    }

    /// The value as a whole number within `range`.
    pub fn whole(&self, range: RangeInclusive<u64>, report: &mut Report) -> Option<u64> {
        let number = self.any_number(report)?;
        // A float that is a whole number is one: YAML reads 2e6 so. Beyond 2^53 it no longer says which.
        let float =
            || (number >= 0.0 && number.fract() == 0.0 && number <= 9_007_199_254_740_992.0).then_some(number as u64);
        let whole = self.value.as_u64().or_else(float).filter(|whole| range.contains(whole));
        if whole.is_none() {
            let bounds = if *range.end() == u64::MAX {
                format!("{} or more", range.start())
            } else {
                format!("from {} to {}", range.start(), range.end())
            };
            report.problem(&self.path, format!("must be a whole number, {bounds}, found {}", self.value));
        }
        whole
    }

    /// The value as one of a closed set of words.
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)], report: &mut Report) -> Option<T> {
        let word = self.prose(report)?;
        let found = choices.iter().find(|(name, _)| *name == word).map(|(_, choice)| *choice);
        if found.is_none() {
            self.no_such_word(word, choices.iter().map(|(name, _)| *name), report);
        }
        found
    }

    /// Tells that `word` is none of `words`.
    pub fn no_such_word<'w>(&self, word: &str, words: impl Iterator<Item = &'w str> + Clone, report: &mut Report) {
        let allowed = words.clone().collect::<Vec<&str>>().join(", ");
        let meant = suggest::closest(word, words).map(|meant| format!("; did you mean \"{meant}\"?"));
        let message = format!("must be one of {allowed}, found {}{}", quoted(word), meant.unwrap_or_default());
        report.problem(&self.path, message);
    }

    /// The value as a duration of at least a millisecond, in milliseconds.
    pub fn millis(&self, report: &mut Report) -> Option<u64> {
        let Value::String(text) = self.value else {
            self.wrong_type("a duration such as \"30s\"", report);
            return None;
        };
        let millis = duration::parse_millis(text).filter(|millis| *millis > 0);
        if millis.is_none() {
            let rule = "must be a whole number above zero and a unit (ms, s, m, h, d), as in \"30s\"";
            report.problem(&self.path, format!("{rule}, found {}", quoted(text)));
        }
        millis
    }

    /// The value as a size above zero, in bytes.
    pub fn bytes(&self, report: &mut Report) -> Option<u64> {
        if self.value.is_number() {
            return self.whole(1..=u64::MAX, report);
        }
        let Value::String(text) = self.value else {
            self.wrong_type("a size such as \"64KiB\"", report);
            return None;
        };
        let bytes = duration::parse_bytes(text).filter(|bytes| *bytes > 0);
        if bytes.is_none() {
            let rule = "must be a whole number above zero and a unit (B, KiB, MiB, GiB), as in \"64KiB\"";
            report.problem(&self.path, format!("{rule}, found {}", quoted(text)));
        }
        bytes
    }

    /// The value as an amount of USD.
    pub fn money(&self, report: &mut Report) -> Option<Money> {
        let number = self.any_number(report)?;
        let money = Money::from_usd(number);
        if money.is_none() {
            let rule = "must be a number of USD, zero or more, with at most six decimals";
            report.problem(&self.path, format!("{rule}, found {number}"));
        }
        money
    }

    /// The value as a price in USD per million tokens.
    pub fn price(&self, report: &mut Report) -> Option<TokenPrice> {
        let number = self.any_number(report)?;
        let price = TokenPrice::from_usd_per_mtok(number);
        if price.is_none() {
            let rule = "must be USD per million tokens, zero or more, with at most six decimals";
            report.problem(&self.path, format!("{rule}, found {number}"));
        }
        price
    }

    /// Tells that the value is not `expected`. The value itself is not repeated: it may be a secret in the wrong place.
    pub fn wrong_type(&self, expected: &str, report: &mut Report) {
        let found = match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "a map",
        };
        let hint = match self.value {
            Value::Number(_) | Value::Bool(_) if expected == "a string" => "; put it in quotes",
            _ => "",
        };
        report.problem(&self.path, format!("expected {expected}, found {found}{hint}"));
    }

    /// Whether the value is a list, map or null without content.
    pub fn is_hollow(&self) -> bool {
        match self.value {
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            Value::Null => true,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }

    fn object(&self, report: &mut Report) -> Option<&'v Map<String, Value>> {
        if let Value::Object(map) = self.value {
            return Some(map);
        }
        self.wrong_type("a map", report);
        None
    }

    fn any_number(&self, report: &mut Report) -> Option<f64> {
        let number = self.value.as_f64();
        if number.is_none() {
            self.wrong_type("a number", report);
        }
        number
    }

    fn check_count(&self, count: usize, report: &mut Report) {
        if count > MOST_ENTRIES {
            report.problem(&self.path, format!("must have at most {MOST_ENTRIES} entries, has {count}"));
        }
    }
}

impl<'v> Fields<'v> {
    /// The field of that name, if it is written.
    pub fn get(&self, name: &str) -> Option<Node<'v>> {
        let value = self.map?.get(name)?;
        Some(Node { value, path: join(&self.path, name) })
    }

    /// The field of that name, or a problem that ends with the way out.
    pub fn need(&self, name: &str, way_out: &str, report: &mut Report) -> Option<Node<'v>> {
        let node = self.get(name);
        if node.is_none() && self.map.is_some() {
            report.problem(join(&self.path, name), format!("missing; {way_out}"));
        }
        node
    }

    /// Whether the object is one and has none of these fields.
    pub fn lacks_all(&self, names: &[&str]) -> bool {
        self.map.is_some_and(|map| !names.iter().any(|name| map.contains_key(*name)))
    }
}

/// The path of a field below `path`.
pub fn join(path: &str, name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'*' | b':');
    match path {
        _ if name.is_empty() || !name.bytes().all(plain) || name.len() > LONGEST_NAME => {
            format!("{path}[{}]", quoted(name))
        }
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// A text of the writer's as it may stand in a message: in quotes, escaped, cut where it gets long.
pub fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() { format!("{shown:?}…") } else { format!("{shown:?}") }
}

/// Checks a name that goes into headers, metrics and cluster names.
pub fn check_plain_name(path: &str, name: &str, report: &mut Report) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(plain) {
        let rule = format!("a name here is 1 to {LONGEST_NAME} of the characters A-Z a-z 0-9 . _ -");
        report.problem(path, format!("{rule}, found {}", quoted(name)));
    }
}

/// Checks a name that people may choose more freely; `*` is left to patterns.
pub fn check_free_name(path: &str, name: &str, report: &mut Report) {
    let forbidden = |letter: char| letter.is_control() || letter == '*';
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(forbidden) || name.trim() != name {
        let rule = format!("a name here is 1 to {LONGEST_NAME} bytes without `*`, line breaks or outer spaces");
        report.problem(path, format!("{rule}, found {}", quoted(name)));
    }
}
