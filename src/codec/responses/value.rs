//! JSON objects as lists of members that are read where they stand. Not a tree: what is inside a member stays unread.

use std::borrow::Cow;

use crate::chat::prose::{Json, Prose};
use crate::codec::json::{Malformed, Scanner, Text, parse_bool, parse_u64};

/// One JSON value, and where it stands in the body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    bytes: &'a [u8],
    at: usize,
    text: Option<Text<'a>>,
}

impl<'a> Value<'a> {
    /// Reads the value at the scanner; `base` is where the scanner's bytes begin in the body.
    pub(super) fn read(scanner: &mut Scanner<'a>, base: usize) -> Result<Self, Malformed> {
        if scanner.peek()? == b'"' {
            let text = scanner.string()?;
            let span = text.span();
            return Ok(Self { at: base + span.start, bytes: scanner.slice(span), text: Some(text) });
        }
        let span = scanner.skip()?;
        Ok(Self { at: base + span.start, bytes: scanner.slice(span), text: None })
    }

    /// Reads the object at the scanner, and its members with it.
    pub(super) fn read_object(scanner: &mut Scanner<'a>, base: usize) -> Result<(Self, Members<'a>), Malformed> {
        scanner.peek()?;
        let start = scanner.offset();
        let members = Members::read(scanner, base)?;
        Ok((Self { at: base + start, bytes: scanner.slice(start..scanner.offset()), text: None }, members))
    }

    /// The error of a broken rule at this value.
    pub(super) fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { offset: self.at, what }
    }

    /// Whether it is `null`.
    pub(super) fn is_null(&self) -> bool {
        self.bytes == b"null"
    }

    /// Whether it is an array.
    pub(super) fn is_array(&self) -> bool {
        self.bytes.first() == Some(&b'[')
    }

    /// Whether it is an object.
    pub(super) fn is_object(&self) -> bool {
        self.bytes.first() == Some(&b'{')
    }

    /// The string that it is.
    pub(super) fn text(&self) -> Option<Text<'a>> {
        self.text
    }

    /// The whole number that it is.
    pub(super) fn whole(&self) -> Option<u64> {
        parse_u64(self.bytes)
    }

    /// The number that it is.
    pub(super) fn float(&self) -> Option<f64> {
        Scanner::new(self.bytes).float_or_skip().ok().flatten()
    }

    /// The truth value that it is.
    pub(super) fn bool(&self) -> Option<bool> {
        parse_bool(self.bytes)
    }

    /// The value as it is written.
    pub(super) fn json(&self) -> Json<'a> {
        Json::borrowed(self.bytes)
    }

    /// The bytes of the value.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where it stands in the body.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Its members; refused when it is no object.
    pub(super) fn members(&self) -> Result<Members<'a>, Malformed> {
        Members::read(&mut Scanner::new(self.bytes), self.at).map_err(|error| shifted(error, self.at))
    }

    /// Its elements, one after the other; refused when it is no array.
    pub(super) fn each(&self, element: impl FnMut(Value<'a>) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.elements(|scanner| Value::read(scanner, self.at), element)
    }

    /// Its elements, which are objects; refused when it is no array, or when one is something else.
    pub(super) fn each_object(
        &self,
        mut element: impl FnMut(Value<'a>, Members<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.elements(|scanner| Value::read_object(scanner, self.at), |(value, members)| element(value, members))
    }

    /// Offsets of what `read` finds wrong count from the array's start; those of what `then` does from the body's.
    fn elements<T>(
        &self,
        read: impl Fn(&mut Scanner<'a>) -> Result<T, Malformed>,
        mut then: impl FnMut(T) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let mut placed = None;
        let mut scanner = Scanner::new(self.bytes);
        let all = scanner.array(|scanner| then(read(scanner)?).inspect_err(|error| placed = Some(*error)));
        all.map_err(|error| placed.unwrap_or_else(|| shifted(error, self.at)))
    }
}

fn shifted(error: Malformed, by: usize) -> Malformed {
    Malformed { offset: error.offset + by, what: error.what }
}

/// The members of one object, in the order written. Of two with one name the last counts, as in most parsers.
#[derive(Debug)]
pub(super) struct Members<'a> {
    list: Vec<(Text<'a>, Value<'a>)>,
    at: usize,
}

impl<'a> Members<'a> {
    /// Reads the object at the scanner; `base` is where the scanner's bytes begin in the body.
    pub(super) fn read(scanner: &mut Scanner<'a>, base: usize) -> Result<Self, Malformed> {
        scanner.peek()?;
        let at = base + scanner.offset();
        let mut list = Vec::with_capacity(8);
        scanner.object(|scanner, key| {
            list.push((key, Value::read(scanner, base)?));
            Ok(())
        })?;
        Ok(Self { list, at })
    }

    /// The members of a whole document; refused when it is not one object.
    pub(super) fn whole(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut scanner = Scanner::new(bytes);
        let members = Self::read(&mut scanner, 0)?;
        scanner.end()?;
        Ok(members)
    }

    /// The error of a broken rule at this object.
    pub(super) fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { offset: self.at, what }
    }

    /// The member of that name; `null` counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        self.list.iter().rev().find(|(key, _)| key.is(name)).map(|(_, value)| *value).filter(|value| !value.is_null())
    }

    /// The string of that name; refused when it is something else.
    pub(super) fn string(&self, name: &str) -> Result<Option<Text<'a>>, Malformed> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.text().map(Some).ok_or_else(|| value.malformed("a string is expected")),
        }
    }

    /// The string of that name; refused when there is none.
    pub(super) fn need(&self, name: &str, what: &'static str) -> Result<Text<'a>, Malformed> {
        self.string(name)?.ok_or_else(|| self.malformed(what))
    }

    /// The string of that name, if it is one: for what providers say.
    pub(super) fn text(&self, name: &str) -> Option<Text<'a>> {
        self.get(name).and_then(|value| value.text())
    }

    /// The name or id under that name.
    pub(super) fn word(&self, name: &str) -> Option<Cow<'a, str>> {
        self.text(name).map(|text| text.text())
    }

    /// The prose under that name.
    pub(super) fn prose(&self, name: &str) -> Option<Prose<'a>> {
        self.text(name).map(|text| text.prose())
    }

    /// The whole number under that name.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(|value| value.whole())
    }

    /// The object under that name, if it is one.
    pub(super) fn object(&self, name: &str) -> Option<Members<'a>> {
        self.get(name).filter(Value::is_object).and_then(|value| value.members().ok())
    }

    /// The objects of the array under that name; anything else in it is passed over.
    pub(super) fn objects(&self, name: &str) -> Vec<(Value<'a>, Members<'a>)> {
        let mut list = Vec::new();
        if let Some(array) = self.get(name).filter(Value::is_array) {
            let read = array.each(|value| {
                if value.is_object() {
                    list.push((value, value.members()?));
                }
                Ok(())
            });
            debug_assert!(read.is_ok(), "the array was read before");
        }
        list
    }
}
