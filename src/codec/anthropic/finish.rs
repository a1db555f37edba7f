//! Why an answer ended, in Anthropic's words and in the form between.

use std::borrow::Cow;

use crate::chat::answer::Finish;

/// Reads a `stop_reason` and its `stop_sequence`. `called` says whether the answer holds a call.
pub(super) fn read<'a>(reason: &str, sequence: Option<Cow<'a, str>>, called: bool) -> Finish<'a> {
    match reason {
        "max_tokens" => Finish::Length,
        "stop_sequence" => Finish::StopSequence(sequence),
        "tool_use" => Finish::ToolCalls,
        "pause_turn" => Finish::Paused,
        "refusal" => Finish::Refused,
        "model_context_window_exceeded" => Finish::ContextFull,
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// The `stop_reason` of an end. `refused` says whether the answer holds a refusal, `called` whether it holds a call.
///
/// Why a broken answer ends its turn: the format has no word for it, and clients act on what was said so far.
pub(super) fn reason(finish: &Finish<'_>, called: bool, refused: bool) -> &'static str {
    match finish {
        Finish::Stop | Finish::Broken if called => "tool_use",
        Finish::Stop if refused => "refusal",
        Finish::Stop | Finish::Broken => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ContextFull => "model_context_window_exceeded",
        Finish::ToolCalls => "tool_use",
        Finish::Filtered | Finish::Refused => "refusal",
        Finish::Paused => "pause_turn",
    }
}

/// The `stop_sequence` of an end.
pub(super) fn sequence<'a>(finish: &'a Finish<'_>) -> Option<&'a str> {
    match finish {
        Finish::StopSequence(Some(sequence)) => Some(sequence),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{read, reason};
    use crate::chat::answer::Finish;

    #[test]
    fn every_end_has_a_word_that_reads_back() {
        for word in [
            "end_turn",
            "max_tokens",
            "stop_sequence",
            "tool_use",
            "pause_turn",
            "refusal",
            "model_context_window_exceeded",
        ] {
            assert_eq!(reason(&read(word, None, false), false, false), word);
        }
        assert_eq!(read("end_turn", None, true), Finish::ToolCalls);
        assert_eq!(read("max_tokens", None, true), Finish::Length);
        assert_eq!(read("a_reason_of_tomorrow", None, false), Finish::Stop);
        assert_eq!(reason(&Finish::Filtered, false, false), "refusal");
        assert_eq!(reason(&Finish::Stop, false, true), "refusal");
    }
}
