//! Why an answer ended, and what it took, in the words of chat completions. Not answers themselves.

use crate::chat::answer::Finish;
use crate::chat::usage::Usage;
use crate::codec::writer::Writer;

/// What of an answer decides over a vendor's word for its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) calls: bool,
    pub(super) refusal: bool,
}

/// What a vendor's word means.
pub(super) fn parse(reason: &str, seen: Seen) -> Finish<'static> {
    let finish = match reason {
        "length" | "max_tokens" => Finish::Length,
        "model_length" | "model_context_window_exceeded" => Finish::ContextFull,
        "content_filter" | "sensitive" => Finish::Filtered,
        "error" | "network_error" | "insufficient_system_resource" => Finish::Broken,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        // `stop`, and `eos`, `eos_token`, `end_turn`, the empty word of xAI.
        _ => Finish::Stop,
    };
    // Vendors say `stop` of answers with calls; one that says `tool_calls` of an answer without any is done.
    match finish {
        Finish::Stop | Finish::ToolCalls if seen.calls => Finish::ToolCalls,
        Finish::Stop | Finish::ToolCalls if seen.refusal => Finish::Refused,
        Finish::ToolCalls => Finish::Stop,
        other => other,
    }
}

/// OpenAI's word.
pub(super) fn name(finish: &Finish<'_>, seen: Seen) -> &'static str {
    match finish {
        // A refusal in words is no filter's doing.
        Finish::Refused if seen.refusal => "stop",
        Finish::Stop | Finish::StopSequence(_) | Finish::Paused | Finish::Broken => "stop",
        Finish::Length | Finish::ContextFull => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered | Finish::Refused => "content_filter",
    }
}

/// Writes a `usage` object.
pub(super) fn write_usage(writer: &mut Writer, usage: &Usage) {
    writer.object(|writer| {
        writer.key("prompt_tokens").number(usage.input);
        writer.key("completion_tokens").number(usage.output);
        writer.key("total_tokens").number(usage.input.saturating_add(usage.output));
        writer.key("prompt_tokens_details").object(|writer| {
            writer.key("cached_tokens").number(usage.cache_read);
            let written = usage.cache_write.saturating_add(usage.cache_write_1h);
            if written > 0 {
                writer.key("cache_write_tokens").number(written);
            }
        });
        writer.key("completion_tokens_details").object(|writer| {
            writer.key("reasoning_tokens").number(usage.reasoning);
        });
    });
}

#[cfg(test)]
mod tests {
    use super::{Seen, name, parse};
    use crate::chat::answer::Finish;

    #[test]
    fn a_vendor_s_word_means_what_the_answer_shows() {
        let nothing = Seen::default();
        let calls = Seen { calls: true, refusal: false };
        let refusal = Seen { calls: false, refusal: true };
        for (reason, seen, finish) in [
            ("stop", nothing, Finish::Stop),
            ("stop", calls, Finish::ToolCalls),
            ("", calls, Finish::ToolCalls),
            ("", nothing, Finish::Stop),
            ("stop", refusal, Finish::Refused),
            ("tool_calls", nothing, Finish::Stop),
            ("function_call", calls, Finish::ToolCalls),
            ("length", calls, Finish::Length),
            ("model_length", nothing, Finish::ContextFull),
            ("sensitive", nothing, Finish::Filtered),
            ("insufficient_system_resource", nothing, Finish::Broken),
            ("eos_token", nothing, Finish::Stop),
        ] {
            assert_eq!(parse(reason, seen), finish, "{reason}");
        }
        assert_eq!(name(&Finish::Refused, refusal), "stop");
        assert_eq!(name(&Finish::Refused, nothing), "content_filter");
    }
}
