//! Members of a chat body by their shape: `null` counts as absent, and what has another shape is refused with its place.
//! No member's meaning.

use std::borrow::Cow;

use crate::chat::prose::{Json, Prose};
use crate::codec::json::{Malformed, Scanner, Text};

/// A string.
pub(super) fn string<'a>(scanner: &mut Scanner<'a>, what: &'static str) -> Result<Option<Text<'a>>, Malformed> {
    match scanner.peek()? {
        b'"' => scanner.string().map(Some),
        _ if scanner.null()? => Ok(None),
        _ => Err(scanner.malformed(what)),
    }
}

/// A string that is a name or an id.
pub(super) fn text<'a>(scanner: &mut Scanner<'a>, what: &'static str) -> Result<Option<Cow<'a, str>>, Malformed> {
    Ok(string(scanner, what)?.map(|text| text.text()))
}

/// A string that somebody wrote to be read.
pub(super) fn prose<'a>(scanner: &mut Scanner<'a>, what: &'static str) -> Result<Option<Prose<'a>>, Malformed> {
    Ok(string(scanner, what)?.map(|text| text.prose()))
}

/// `true` or `false`.
pub(super) fn boolean(scanner: &mut Scanner<'_>, what: &'static str) -> Result<Option<bool>, Malformed> {
    if scanner.null()? {
        return Ok(None);
    }
    match scanner.bool()? {
        Some(value) => Ok(Some(value)),
        None => Err(scanner.malformed(what)),
    }
}

/// A number.
pub(super) fn number(scanner: &mut Scanner<'_>, what: &'static str) -> Result<Option<f64>, Malformed> {
    checked(scanner, what, Scanner::float_or_skip)
}

/// A whole number that is not negative.
pub(super) fn whole(scanner: &mut Scanner<'_>, what: &'static str) -> Result<Option<u64>, Malformed> {
    checked(scanner, what, Scanner::whole_or_skip)
}

/// A whole number.
pub(super) fn integer(scanner: &mut Scanner<'_>, what: &'static str) -> Result<Option<i64>, Malformed> {
    checked(scanner, what, Scanner::int_or_skip)
}

fn checked<'a, T>(
    scanner: &mut Scanner<'a>,
    what: &'static str,
    read: impl FnOnce(&mut Scanner<'a>) -> Result<Option<T>, Malformed>,
) -> Result<Option<T>, Malformed> {
    if scanner.null()? {
        return Ok(None);
    }
    let wrong = scanner.malformed(what);
    read(scanner)?.map(Some).ok_or(wrong)
}

/// An object as it is written; its shape inside is not looked at.
pub(super) fn object<'a>(scanner: &mut Scanner<'a>, what: &'static str) -> Result<Option<Json<'a>>, Malformed> {
    match scanner.peek()? {
        b'{' => scanner.json().map(Some),
        _ if scanner.null()? => Ok(None),
        _ => Err(scanner.malformed(what)),
    }
}

/// Calls `element` at each element of an array; `null` has none.
pub(super) fn each<'a>(
    scanner: &mut Scanner<'a>,
    what: &'static str,
    element: impl FnMut(&mut Scanner<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    match scanner.peek()? {
        b'[' => scanner.array(element),
        _ if scanner.null()? => Ok(()),
        _ => Err(scanner.malformed(what)),
    }
}

/// Calls `member` at each member of an object; `null` has none. Says whether it is an object.
pub(super) fn members<'a>(
    scanner: &mut Scanner<'a>,
    what: &'static str,
    member: impl FnMut(&mut Scanner<'a>, Text<'a>) -> Result<(), Malformed>,
) -> Result<bool, Malformed> {
    match scanner.peek()? {
        b'{' => scanner.object(member).map(|()| true),
        _ if scanner.null()? => Ok(false),
        _ => Err(scanner.malformed(what)),
    }
}

/// Calls `member` at each member of an object; another kind of value is skipped. For answers, which are never refused
/// for a member of no account.
pub(super) fn members_or_skip<'a>(
    scanner: &mut Scanner<'a>,
    member: impl FnMut(&mut Scanner<'a>, Text<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    if scanner.peek()? == b'{' { scanner.object(member) } else { scanner.pass() }
}

/// Calls `element` at each element of an array; another kind of value is skipped.
pub(super) fn each_or_skip<'a>(
    scanner: &mut Scanner<'a>,
    element: impl FnMut(&mut Scanner<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    if scanner.peek()? == b'[' { scanner.array(element) } else { scanner.pass() }
}

/// A string that is not empty; another kind of value is skipped.
pub(super) fn filled<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Text<'a>>, Malformed> {
    Ok(scanner.string_or_skip()?.filter(|text| !text.is_empty()))
}
