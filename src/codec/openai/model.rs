//! What the names of OpenAI's own models say that the catalogue does not: which of them reason, and in which words.

use crate::chat::request::{Depth, Effort};
use crate::codec::wire::Shape;

/// A generation of OpenAI's models that reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Generation {
    /// o1, o3, o4-mini.
    O,
    /// gpt-5 and later: the numbers before and behind the dot.
    Gpt(u32, u32),
}

/// The generation of a model at OpenAI or Azure; `None` for models that do not reason and at other vendors.
pub(super) fn generation(shape: &Shape<'_>) -> Option<Generation> {
    if !matches!(shape.vendor, "openai" | "azure" | "azure_ai") {
        return None;
    }
    let name = shape.model.rsplit('/').next().unwrap_or_default();
    if let Some(rest) = name.strip_prefix('o') {
        return rest.starts_with(|first: char| first.is_ascii_digit()).then_some(Generation::O);
    }
    let version = name.strip_prefix("gpt-")?.split('-').next()?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
    (major >= 5 && !name.contains("-chat")).then_some(Generation::Gpt(major, minor))
}

/// Whether the model takes sampling members: those that reason do only while they do not.
pub(super) fn samples(shape: &Shape<'_>, depth: Option<Depth>) -> bool {
    match generation(shape) {
        None => true,
        Some(generation) => generation >= Generation::Gpt(5, 1) && depth == Some(Depth::Off),
    }
}

/// Whether the model refuses functions in chat completions unless it is told not to reason.
pub(super) fn reasons_or_calls(shape: &Shape<'_>) -> bool {
    generation(shape).is_some_and(|generation| generation >= Generation::Gpt(5, 4))
}

/// Whether the model takes `prompt_cache_breakpoint` marks.
pub(super) fn takes_breakpoints(shape: &Shape<'_>) -> bool {
    generation(shape).is_some_and(|generation| generation >= Generation::Gpt(5, 6))
}

/// The nearest word that the model knows for an effort.
pub(super) fn word_of(effort: Effort, shape: &Shape<'_>) -> &'static str {
    let generation = generation(shape);
    let known: &[Effort] = match generation {
        Some(Generation::Gpt(5, 0)) => &[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High],
        Some(Generation::Gpt(5, 2..=5)) => &[Effort::Low, Effort::Medium, Effort::High, Effort::XHigh],
        Some(later) if later >= Generation::Gpt(5, 6) => {
            &[Effort::Low, Effort::Medium, Effort::High, Effort::XHigh, Effort::Max]
        }
        // The others, and most compatible vendors (gpt-oss among them).
        Some(_) | None => &[Effort::Low, Effort::Medium, Effort::High],
    };
    let at_most = known.iter().rev().find(|one| **one <= effort);
    at_most.or(known.first()).copied().unwrap_or(effort).name()
}

/// The word for not reasoning; `None` when the model cannot but reason, where the least is the nearest.
pub(super) fn word_of_none(shape: &Shape<'_>) -> Option<&'static str> {
    match generation(shape) {
        Some(Generation::O | Generation::Gpt(5, 0)) => None,
        Some(Generation::Gpt(..)) | None => Some("none"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Generation, generation, word_of};
    use crate::chat::family::ApiFamily;
    use crate::chat::request::Effort;
    use crate::chat::traits::Traits;
    use crate::codec::wire::Shape;

    fn shape(model: &'static str, vendor: &'static str) -> Shape<'static> {
        let (traits, api) = (Traits::NONE, ApiFamily::OpenAi);
        Shape { model, api, vendor, traits, capabilities: None, max_output: None }
    }

    #[test]
    fn names_tell_the_generation() {
        for (model, expected) in [
            ("gpt-4o", None),
            ("gpt-4.1-mini", None),
            ("omni-moderation", None),
            ("o1", Some(Generation::O)),
            ("o4-mini-2025-04-16", Some(Generation::O)),
            ("gpt-5", Some(Generation::Gpt(5, 0))),
            ("gpt-5-mini-2025-08-07", Some(Generation::Gpt(5, 0))),
            ("gpt-5-chat-latest", None),
            ("gpt-5.4-nano", Some(Generation::Gpt(5, 4))),
            ("gpt-6", Some(Generation::Gpt(6, 0))),
        ] {
            assert_eq!(generation(&shape(model, "openai")), expected, "{model}");
        }
        assert_eq!(generation(&shape("gpt-5", "openrouter")), None);
    }

    #[test]
    fn efforts_are_said_in_the_nearest_word_that_the_model_knows() {
        for (model, vendor, asked, said) in [
            ("o3", "openai", Effort::Max, "high"),
            ("o3", "openai", Effort::Minimal, "low"),
            ("gpt-5", "openai", Effort::Minimal, "minimal"),
            ("gpt-5.2", "azure", Effort::Max, "xhigh"),
            ("gpt-5.6", "openai", Effort::Max, "max"),
            ("gpt-oss-120b", "groq", Effort::XHigh, "high"),
        ] {
            assert_eq!(word_of(asked, &shape(model, vendor)), said, "{model}");
        }
    }
}
