//! Header lists as bytes, the way they cross the host's border: any byte sequence is legal. No parsing of bodies.

use std::fmt;
use std::ops::Range;

/// A header list in the order received. Names are in lower case, as HTTP/2 and every proxy-wasm host hand them over.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Eq)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

/// Room that is made before a list's fields are counted: a list may announce more of them than it holds.
const ROOM: usize = 64;

impl Headers {
    /// A list of pairs; for tests, the native program, and hosts that hand over pairs one by one.
    pub fn from_pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            let start = headers.bytes.len();
            headers.bytes.extend(name.as_ref().iter().map(u8::to_ascii_lowercase));
            let middle = headers.bytes.len();
            headers.bytes.extend_from_slice(value.as_ref());
            headers.fields.push(Field { name: start..middle, value: middle..headers.bytes.len() });
        }
        headers
    }

    /// The proxy-wasm serialization: a count, then the lengths of each name and value, then each name and value with a
    /// zero byte behind; all numbers are 32-bit little-endian (proxy-wasm ABI 0.2.1, "serialized map").
    /// `None` when the bytes do not hold what they announce.
    pub fn from_serialized(bytes: Vec<u8>) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let number = |at: usize| -> Option<usize> {
            let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(four)).ok()
        };
        let count = number(0)?;
        let mut at = count.checked_mul(8)?.checked_add(4)?;
        let mut fields = Vec::with_capacity(count.min(ROOM));
        for index in 0..count {
            let sizes = 4 + index * 8;
            let name = at..at.checked_add(number(sizes)?)?;
            let value_start = name.end.checked_add(1)?;
            let value = value_start..value_start.checked_add(number(sizes + 4)?)?;
            at = value.end.checked_add(1)?;
            if value.end > bytes.len() {
                return None;
            }
            fields.push(Field { name, value });
        }
        Some(Self { bytes, fields })
    }

    /// The first value of that name (in lower case).
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(candidate, _)| *candidate == name.as_bytes()).map(|(_, value)| value)
    }

    /// The first value of that name, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Every value of that name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(candidate, _)| *candidate == name.as_bytes()).map(|(_, value)| value)
    }

    /// Every pair, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| {
            let part = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
            (part(&field.name), part(&field.value))
        })
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

/// Names only: a value may be a credential.
impl fmt::Debug for Headers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Headers;

    fn serialized(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut bytes = (pairs.len() as u32).to_le_bytes().to_vec();
        for (name, value) in pairs {
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend((value.len() as u32).to_le_bytes());
        }
        for (name, value) in pairs {
            bytes.extend(*name);
            bytes.push(0);
            bytes.extend(*value);
            bytes.push(0);
        }
        bytes
    }

    #[test]
    fn reads_what_a_host_serializes() {
        let pairs: &[(&[u8], &[u8])] = &[(b":path", b"/v1"), (b"x-raw", b"\xff\xfe"), (b"x-raw", b""), (b"", b"")];
        let headers = Headers::from_serialized(serialized(pairs)).expect("a list");
        assert_eq!(headers.iter().collect::<Vec<_>>(), pairs);
        assert_eq!(headers.text(":path"), Some("/v1"));
        assert_eq!(headers.get("x-raw"), Some(&b"\xff\xfe"[..]));
        assert_eq!(headers.text("x-raw"), None);
        assert_eq!(headers.all("x-raw").count(), 2);
    }

    #[test]
    fn refuses_a_list_cut_anywhere() {
        let whole = serialized(&[(b":path", b"/v1"), (b"host", b"example")]);
        for length in 1..whole.len() - 1 {
            assert_eq!(Headers::from_serialized(whole[..length].to_vec()), None, "cut at {length}");
        }
        assert!(Headers::from_serialized(vec![0xff; 64]).is_none());
    }
}
