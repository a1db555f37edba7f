//! Whose models want what at Bedrock, by their ids. Not what any of them costs or can do (see `policy::catalog`).

use crate::chat::capability::Capability;
use crate::codec::wire::Shape;

/// Who made a model: Converse is one format, but much of it is for one maker's models alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Anthropic.
    Anthropic,
    /// Amazon, its Nova models.
    Nova,
    /// OpenAI.
    OpenAi,
    /// Anybody else.
    Other,
}

/// The maker of the target's model: `us.anthropic.claude-…`, an ARN that ends so, or an alias with `claude` in it.
pub fn maker(shape: &Shape<'_>) -> Maker {
    let model = shape.model.to_ascii_lowercase();
    if model.contains("anthropic") || model.contains("claude") {
        Maker::Anthropic
    } else if model.contains("nova") {
        Maker::Nova
    } else if model.contains("openai") || model.contains("gpt-") {
        Maker::OpenAi
    } else {
        Maker::Other
    }
}

/// Whether it is a Claude of before 4: without strict tools and without the longer life in the prompt cache.
pub fn is_old_claude(shape: &Shape<'_>) -> bool {
    ["claude-3", "claude-v2", "claude-instant"].iter().any(|old| shape.model.contains(old))
}

/// Whether it is a Nova that thinks and searches the web.
pub fn is_nova_2(shape: &Shape<'_>) -> bool {
    shape.model.contains("nova-2")
}

/// Whether marks for the prompt cache are understood; other makers' models refuse the whole request.
pub fn caches(shape: &Shape<'_>) -> bool {
    matches!(maker(shape), Maker::Anthropic | Maker::Nova) && !shape.lacks(Capability::PromptCaching)
}
