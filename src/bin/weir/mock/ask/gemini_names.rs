//! The names that Gemini knows, by the message they stand in. Not what they mean: see `ask::gemini`.

/// A message of Google's and the members it has.
pub struct Known {
    /// How Google names the place in its complaint.
    pub place: &'static str,
    pub names: &'static [&'static str],
}

/// The request itself.
pub const REQUEST: Known = Known {
    place: "",
    names: &[
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "safetySettings",
        "cachedContent",
        "generationConfig",
        "serviceTier",
        "model",
    ],
};
/// What Vertex alone knows of a request.
pub const VERTEX: [&str; 2] = ["labels", "modelArmorConfig"];
/// What AI Studio alone knows of a request.
pub const STUDIO: [&str; 1] = ["store"];

pub const CONTENT: Known = Known { place: "contents", names: &["role", "parts"] };

pub const PART: Known = Known {
    place: "contents.parts",
    names: &[
        "text",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
        "thought",
        "thoughtSignature",
        "mediaResolution",
        "videoMetadata",
        "partMetadata",
    ],
};

pub const CALL: Known =
    Known { place: "contents.parts.function_call", names: &["id", "name", "args", "partialArgs", "willContinue"] };

pub const RESPONSE: Known = Known {
    place: "contents.parts.function_response",
    names: &["id", "name", "response", "parts", "scheduling", "willContinue"],
};

pub const TOOL: Known = Known {
    place: "tools",
    names: &[
        "functionDeclarations",
        "googleSearch",
        "googleSearchRetrieval",
        "urlContext",
        "codeExecution",
        "googleMaps",
        "fileSearch",
        "computerUse",
        "enterpriseWebSearch",
        "retrieval",
        "mcpServers",
        "exaAiSearch",
        "parallelAiSearch",
    ],
};

pub const DECLARATION: Known = Known {
    place: "tools.function_declarations",
    names: &["name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior"],
};

pub const CALLING: Known = Known {
    place: "tool_config.function_calling_config",
    names: &["mode", "allowedFunctionNames", "streamFunctionCallArguments"],
};

pub const GENERATION: Known = Known {
    place: "generation_config",
    names: &[
        "temperature",
        "topP",
        "topK",
        "candidateCount",
        "maxOutputTokens",
        "stopSequences",
        "seed",
        "presencePenalty",
        "frequencyPenalty",
        "responseLogprobs",
        "logprobs",
        "responseMimeType",
        "responseSchema",
        "responseJsonSchema",
        "responseFormat",
        "responseModalities",
        "thinkingConfig",
        "mediaResolution",
        "speechConfig",
        "imageConfig",
        "audioTimestamp",
        "routingConfig",
        "modelSelectionConfig",
        "enableAffectiveDialog",
        "enableEnhancedCivicAnswers",
    ],
};

pub const THINKING: Known = Known {
    place: "generation_config.thinking_config",
    names: &["includeThoughts", "thinkingBudget", "thinkingLevel"],
};

/// The OpenAPI subset of `parameters` and `responseSchema`.
pub const SCHEMA: [&str; 21] = [
    "anyOf",
    "default",
    "description",
    "enum",
    "example",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "propertyOrdering",
    "required",
    "title",
];

/// A name in Google's own spelling: `max_output_tokens` is read as `maxOutputTokens`.
pub fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut lift = false;
    for letter in name.chars() {
        if letter == '_' {
            lift = true;
        } else if std::mem::take(&mut lift) {
            out.push(letter.to_ascii_uppercase());
        } else {
            out.push(letter);
        }
    }
    out
}
