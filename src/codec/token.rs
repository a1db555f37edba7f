//! A token estimate from byte counts. Not a tokenizer.
//!
//! The rule: four ASCII bytes a token, three other bytes a token, each rounded up. Known error against o200k-style
//! tokenizers: English prose and most code are within about 20 %; dense JSON, digits and base64 are counted up to half
//! too low; Cyrillic, Greek and Arabic (two bytes a character, several characters a token) are counted up to twice too
//! high; Chinese, Japanese and Korean (three bytes a character, near one token each) up to 40 % too high.

use crate::chat::head::{Head, TextCount};

/// Tokens that a chat format spends around each message, besides its text.
const TOKENS_A_MESSAGE: u64 = 4;

/// Tokens that a chat format spends to open the answer.
const TOKENS_A_REQUEST: u64 = 3;

/// Tokens of an image, whatever its size: a mid-sized picture at full detail costs 765 to 1105 at most vendors.
const TOKENS_AN_IMAGE: u64 = 1000;

/// About how many tokens a text is.
pub fn estimate(text: TextCount) -> u64 {
    text.ascii.div_ceil(4).saturating_add(text.other.div_ceil(3))
}

/// About how many input tokens a request is: its text, the chat format around its messages, and its images.
pub fn estimate_request(head: &Head) -> u64 {
    let around = u64::from(head.messages).saturating_mul(TOKENS_A_MESSAGE).saturating_add(TOKENS_A_REQUEST);
    let images = u64::from(head.images).saturating_mul(TOKENS_AN_IMAGE);
    estimate(head.text).saturating_add(around).saturating_add(images)
}

#[cfg(test)]
mod tests {
    use super::{estimate, estimate_request};
    use crate::chat::head::{Head, TextCount};

    #[test]
    fn tokens_are_rounded_up_and_never_overflow() {
        assert_eq!(estimate(TextCount::default()), 0);
        assert_eq!(estimate(TextCount { ascii: 9, other: 4 }), 5);
        assert_eq!(estimate(TextCount { ascii: u64::MAX, other: u64::MAX }), u64::MAX / 4 + 1 + u64::MAX / 3);
    }

    #[test]
    fn a_request_is_its_text_its_messages_and_its_images() {
        let text = TextCount { ascii: 40, other: 0 };
        let head = Head { text, messages: 2, images: 1, ..Head::default() };
        assert_eq!(estimate_request(&head), 10 + 2 * 4 + 3 + 1000);
    }
}
