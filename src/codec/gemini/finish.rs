//! Why an answer ended, in Gemini's words and back.
//!
//! Source: `FinishReason` and `BlockedReason` of google-genai 3.4.0.

use crate::chat::answer::Finish;

/// What a `finishReason` means. Calls finish with `STOP` at Gemini; `called` says that some were seen.
pub fn decode(reason: &str, called: bool) -> Finish<'static> {
    match reason {
        "MAX_TOKENS" | "CONTINUATION" => Finish::Length,
        "SAFETY" | "RECITATION" | "LANGUAGE" | "OTHER" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "ESCALATION"
        | "MODEL_ARMOR" => Finish::Filtered,
        "TOO_MANY_TOOL_CALLS" | "UNEXPECTED_TOOL_CALL" | "MISSING_THOUGHT_SIGNATURE" | "NO_IMAGE" => Finish::Broken,
        image if image.starts_with("IMAGE_") => Finish::Filtered,
        malformed if malformed.starts_with("MALFORMED_") => Finish::Broken,
        // `STOP`, and words that are not known yet.
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// The `finishReason` that says it.
pub fn encode(finish: &Finish<'_>) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls | Finish::Paused => "STOP",
        Finish::Length | Finish::ContextFull => "MAX_TOKENS",
        Finish::Filtered | Finish::Refused => "SAFETY",
        Finish::Broken => "MALFORMED_RESPONSE",
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::chat::answer::Finish;

    #[test]
    fn reasons_are_read() {
        for (reason, called, finish) in [
            ("STOP", false, Finish::Stop),
            ("STOP", true, Finish::ToolCalls),
            ("FINISH_REASON_UNSPECIFIED", true, Finish::ToolCalls),
            ("MAX_TOKENS", true, Finish::Length),
            ("SAFETY", true, Finish::Filtered),
            ("IMAGE_SAFETY", false, Finish::Filtered),
            ("MALFORMED_FUNCTION_CALL", false, Finish::Broken),
            ("NEXT_YEARS_REASON", false, Finish::Stop),
        ] {
            assert_eq!(decode(reason, called), finish, "{reason}");
        }
    }

    #[test]
    fn reasons_are_written_as_they_are_read() {
        for finish in [Finish::Stop, Finish::Length, Finish::Filtered, Finish::Broken] {
            assert_eq!(decode(encode(&finish), false), finish);
        }
    }
}
