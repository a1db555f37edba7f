//! How much a model thinks, from words to tokens and back. The numbers are those that gateways in the field agree on
//! (LiteLLM's defaults); vendors name none.

use crate::chat::request::{Depth, Effort};

/// The tokens that an effort is worth.
pub fn budget_of(effort: Effort) -> u64 {
    match effort {
        Effort::Minimal => 128,
        Effort::Low => 1_024,
        Effort::Medium => 2_048,
        Effort::High => 4_096,
        Effort::XHigh => 8_192,
        Effort::Max => 16_384,
    }
}

/// The effort that a number of tokens is worth.
pub fn effort_of(budget: u64) -> Effort {
    match budget {
        8_192.. => Effort::XHigh,
        4_096.. => Effort::High,
        2_048.. => Effort::Medium,
        _ => Effort::Low,
    }
}

/// A depth in words; `None` for none at all. What a model chooses itself counts as `medium`, OpenAI's own default.
pub fn as_effort(depth: Depth) -> Option<Effort> {
    match depth {
        Depth::Off => None,
        Depth::Effort(effort) => Some(effort),
        Depth::Budget(0) => None,
        Depth::Budget(budget) => Some(effort_of(budget)),
        Depth::Adaptive => Some(Effort::Medium),
    }
}

/// A depth in tokens; 0 for none at all, `None` when the model chooses.
pub fn as_budget(depth: Depth) -> Option<u64> {
    match depth {
        Depth::Off => Some(0),
        Depth::Effort(effort) => Some(budget_of(effort)),
        Depth::Budget(budget) => Some(budget),
        Depth::Adaptive => None,
    }
}
