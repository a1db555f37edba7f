//! Names of tools and ids of calls, fitted to what a wire allows. The same name always becomes the same name, so that a
//! conversation needs no memory here.

use std::borrow::Cow;

use crate::codec::wire::Grammar;

/// What an id may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdRule {
    /// At most so many letters, digits, `_`, `-`, and `.`, `:` where they are allowed.
    UpTo {
        /// The longest.
        length: usize,
        /// Whether `.` and `:` are allowed.
        dotted: bool,
    },
    /// Exactly nine letters and digits (Mistral).
    Nine,
}

impl IdRule {
    /// The rule of a wire at a vendor.
    pub fn of(grammar: Grammar, vendor: &str) -> Self {
        if vendor == "mistral" {
            return Self::Nine;
        }
        Self::UpTo { length: grammar.call_id, dotted: grammar.dotted_ids }
    }

    fn allows(self, id: &str) -> bool {
        match self {
            // A wire without ids takes what there is and leaves it out.
            Self::UpTo { length: 0, .. } => true,
            Self::UpTo { length, dotted } => {
                let fits = |byte: u8| {
                    byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || (dotted && b".:".contains(&byte))
                };
                !id.is_empty() && id.len() <= length && id.bytes().all(fits)
            }
            Self::Nine => id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        }
    }
}

/// The id, or the one that stands for it.
pub fn fit_id<'a>(id: &Cow<'a, str>, rule: IdRule) -> Cow<'a, str> {
    if rule.allows(id) {
        return id.clone();
    }
    let hash = hash(id);
    Cow::Owned(match rule {
        IdRule::UpTo { .. } => format!("call_{hash:016x}"),
        IdRule::Nine => base36(hash, 9),
    })
}

/// The name of a tool, or the one that stands for it.
pub fn fit_name<'a>(name: &Cow<'a, str>, longest: usize) -> Cow<'a, str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let head = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if head && name.len() <= longest && name.bytes().all(fits) {
        return name.clone();
    }
    let mut fitted = String::with_capacity(longest);
    if !head {
        fitted.push('_');
    }
    fitted.extend(name.chars().map(|c| if c.is_ascii() && fits(c as u8) { c } else { '_' }));
    // Two names that differ only in what was replaced must not meet.
    fitted.truncate(longest.saturating_sub(9));
    fitted.push('_');
    fitted.push_str(&base36(hash(name), 8));
    Cow::Owned(fitted)
}

/// FNV-1a, 64 bits.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn base36(mut number: u64, length: usize) -> String {
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        text.push(char::from_digit((number % 36) as u32, 36).unwrap_or('0'));
        number /= 36;
    }
    text
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{IdRule, fit_id, fit_name};

    #[test]
    fn what_fits_stays_and_what_does_not_is_the_same_every_time() {
        let rule = IdRule::UpTo { length: 40, dotted: false };
        let fit = |id: &'static str, rule| fit_id(&Cow::Borrowed(id), rule).into_owned();
        assert_eq!(fit("call_1", rule), "call_1");
        assert_ne!(fit("call.1", rule), "call.1");
        assert_eq!(fit("call.1", IdRule::UpTo { length: 40, dotted: true }), "call.1");
        assert_eq!(fit("call.1", rule), fit("call.1", rule));
        assert_ne!(fit("call.1", rule), fit("call.2", rule));
        assert_eq!(fit("call_1", IdRule::Nine).len(), 9);
        assert_eq!(fit("abcdefgh1", IdRule::Nine), "abcdefgh1");
    }

    #[test]
    fn names_keep_what_can_be_read_of_them() {
        let fit = |name: &str| fit_name(&Cow::Borrowed(name), 64).into_owned();
        assert_eq!(fit("get_weather"), "get_weather");
        assert!(fit("mcp.files/read").starts_with("mcp_files_read_"));
        assert_ne!(fit("a.b"), fit("a/b"));
        assert!(fit("7up").starts_with("_7up_"));
        assert_eq!(fit(&"x".repeat(200)).len(), 64);
    }
}
