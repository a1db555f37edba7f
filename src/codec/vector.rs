//! Vectors of embeddings between their two spellings: JSON numbers, and 32-bit little-endian floats in base64. Also the
//! base64 of it. No wire's request or answer.

use std::borrow::Cow;

use crate::chat::prose::Json;
use crate::codec::json::{Malformed, Scanner};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The base64 of a JSON array of numbers. What is no number counts as 0; what is no array is an empty vector.
pub fn to_base64(numbers: &Json<'_>) -> String {
    let mut bytes = Vec::with_capacity(numbers.bytes().len() / 2);
    let mut scanner = Scanner::new(numbers.bytes());
    // What does not parse ends the vector; whoever made the `Json` has checked it.
    let _: Result<(), Malformed> = scanner.array(|scanner| {
        let number = scanner.float_or_skip()?.unwrap_or(0.0);
        bytes.extend_from_slice(&(number as f32).to_le_bytes());
        Ok(())
    });
    encode(&bytes)
}

/// The JSON array of the numbers in base64, each as short as it can be told from its neighbours. What is no base64, or
/// holds no whole number of floats, is an empty vector.
pub fn to_numbers(base64: &str) -> Json<'static> {
    let bytes = decode(base64).unwrap_or_default();
    let (floats, rest) = bytes.as_chunks::<4>();
    let mut out = Vec::with_capacity(bytes.len() * 3 + 2);
    out.push(b'[');
    if rest.is_empty() {
        for (index, float) in floats.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let float = f32::from_le_bytes(*float);
            let float = if float.is_finite() { float } else { 0.0 };
            out.extend_from_slice(float.to_string().as_bytes());
        }
    }
    out.push(b']');
    Json(Cow::Owned(out))
}

/// Bytes in base64: the standard alphabet, padded.
pub fn encode(bytes: &[u8]) -> String {
    let digit = |bits: u32| char::from(*ALPHABET.get((bits & 63) as usize).unwrap_or(&b'A'));
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        out.push(digit(bits >> 18));
        out.push(digit(bits >> 12));
        out.push(if three.len() > 1 { digit(bits >> 6) } else { '=' });
        out.push(if three.len() > 2 { digit(bits) } else { '=' });
    }
    out
}

/// The bytes that base64 stands for, padded or not, in the standard or the URL alphabet; `None` when it is no base64.
pub fn decode(base64: &str) -> Option<Vec<u8>> {
    let digits = base64.trim_end_matches('=').as_bytes();
    if digits.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for four in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in four {
            bits = bits << 6 | value(*digit)?;
        }
        bits <<= 6 * (4 - four.len());
        let [_, first, second, third] = bits.to_be_bytes();
        out.extend([first, second, third].iter().take(four.len() - 1));
    }
    Some(out)
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{decode, encode, to_base64, to_numbers};
    use crate::chat::prose::Json;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded).unwrap(), plain.as_bytes());
            assert_eq!(decode(coded.trim_end_matches('=')).unwrap(), plain.as_bytes());
        }
        assert!(decode("Z").is_none() && decode("Zm=v").is_none() && decode("Z!==").is_none());
    }

    #[test]
    fn vectors_go_both_ways() {
        let numbers = Json::borrowed(b"[0.1, -2,3.5e-2 ,0]");
        let base64 = to_base64(&numbers);
        assert_eq!(base64, "zczMPQAAAMApXA89AAAAAA==");
        assert_eq!(to_numbers(&base64).bytes(), b"[0.1,-2,0.035,0]");
    }

    #[test]
    fn what_is_no_vector_is_empty() {
        assert_eq!(to_numbers("!").bytes(), b"[]");
        assert_eq!(to_numbers("AAAA").bytes(), b"[]");
        assert_eq!(to_base64(&Json::borrowed(b"null")), "");
    }
}
