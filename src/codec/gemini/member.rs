//! Members of Gemini's objects, in camelCase or snake_case. Not what they mean.
//!
//! Source: the JSON mapping of protocol buffers: a parser takes both spellings, and `null` stands for a member that is
//! left out.

use std::borrow::Cow;

use crate::codec::json::{Malformed, Scanner};

/// The most members of one object.
const MAX_MEMBERS: usize = 128;

/// Reads an object; `member` is called with each name in camelCase and must consume exactly the value. A member that
/// stands twice, be it in both spellings, is refused: parsers differ on which of two wins. `null` is passed over.
///
/// # Errors
/// What is no object, and what `member` refuses.
pub fn members<'a, F>(scanner: &mut Scanner<'a>, mut member: F) -> Result<(), Malformed>
where
    F: FnMut(&mut Scanner<'a>, &str) -> Result<(), Malformed>,
{
    let mut seen = Seen::default();
    scanner.object(|scanner, key| {
        let text = key.text();
        let name = camel(&text);
        let at = key.span().start;
        match seen.insert(fingerprint(&name)) {
            Novelty::First => {}
            Novelty::Again => return Err(Malformed { offset: at, what: "a member stands twice" }),
            Novelty::TooMany => return Err(Malformed { offset: at, what: "the object has more than 128 members" }),
        }
        if scanner.null()? { Ok(()) } else { member(scanner, &name) }
    })
}

/// A name in camelCase.
pub fn camel(name: &str) -> Cow<'_, str> {
    let inner = name.trim_start_matches('_');
    if !inner.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    out.push_str(name.get(..name.len() - inner.len()).unwrap_or_default());
    let mut raise = false;
    for character in inner.chars() {
        match character {
            '_' => raise = true,
            other if raise => {
                out.push(other.to_ascii_uppercase());
                raise = false;
            }
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// Reads `true` or `false`.
///
/// # Errors
/// Anything else.
pub fn boolean(scanner: &mut Scanner<'_>) -> Result<bool, Malformed> {
    scanner.bool()?.ok_or_else(|| scanner.malformed("`true` or `false` is expected"))
}

/// Reads a whole number that is not negative.
///
/// # Errors
/// Anything else.
pub fn whole(scanner: &mut Scanner<'_>) -> Result<u64, Malformed> {
    scanner.peek()?;
    let offset = scanner.offset();
    scanner.whole_or_skip()?.ok_or(Malformed { offset, what: "a whole number is expected" })
}

/// Reads a whole number.
///
/// # Errors
/// Anything else.
pub fn integer(scanner: &mut Scanner<'_>) -> Result<i64, Malformed> {
    scanner.peek()?;
    let offset = scanner.offset();
    scanner.int_or_skip()?.ok_or(Malformed { offset, what: "a whole number is expected" })
}

/// Reads a number.
///
/// # Errors
/// Anything else.
pub fn float(scanner: &mut Scanner<'_>) -> Result<f64, Malformed> {
    scanner.peek()?;
    let offset = scanner.offset();
    scanner.float_or_skip()?.ok_or(Malformed { offset, what: "a number is expected" })
}

/// FNV-1a. Equal names always meet; two unequal ones that meet are refused as one, which harms whoever sought them.
fn fingerprint(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

enum Novelty {
    First,
    Again,
    TooMany,
}

/// The members seen so far, without an allocation for objects of the usual size.
#[derive(Default)]
struct Seen {
    few: [u64; 12],
    count: usize,
    more: Vec<u64>,
}

impl Seen {
    fn insert(&mut self, one: u64) -> Novelty {
        if self.few.iter().take(self.count).chain(&self.more).any(|other| *other == one) {
            return Novelty::Again;
        }
        if self.count == MAX_MEMBERS {
            return Novelty::TooMany;
        }
        match self.few.get_mut(self.count) {
            Some(slot) => *slot = one,
            None => self.more.push(one),
        }
        self.count += 1;
        Novelty::First
    }
}

#[cfg(test)]
mod tests {
    use super::{camel, members};
    use crate::codec::json::Scanner;

    fn names(body: &str) -> Result<Vec<String>, &'static str> {
        let mut names = Vec::new();
        let read = members(&mut Scanner::new(body.as_bytes()), |scanner, name| {
            names.push(name.to_owned());
            scanner.pass()
        });
        read.map(|()| names).map_err(|malformed| malformed.what)
    }

    #[test]
    fn both_spellings_are_one_name() {
        for (written, name) in
            [("topP", "topP"), ("top_p", "topP"), ("response_json_schema", "responseJsonSchema"), ("_x_y", "_xY")]
        {
            assert_eq!(camel(written), name);
        }
        assert_eq!(names(r#"{"a":1,"b":null,"c_d":2}"#), Ok(vec!["a".into(), "cD".into()]));
        assert_eq!(names(r#"{"topP":1,"top_p":2}"#), Err("a member stands twice"));
        assert_eq!(names(r#"{"top_p":null,"topP":2}"#), Err("a member stands twice"));
    }

    #[test]
    fn an_object_of_too_many_members_is_refused() {
        let body = |count: usize| {
            let all: Vec<String> = (0..count).map(|index| format!("\"m{index}\":0")).collect();
            format!("{{{}}}", all.join(","))
        };
        assert!(names(&body(128)).is_ok());
        assert_eq!(names(&body(129)), Err("the object has more than 128 members"));
    }
}
