//! What a client of each family sends, as its SDK writes it: path, headers and body. Not what comes back: see `said`.

use serde_json::{Value, json};

use crate::client::Request;
use crate::family::said::{Called, Said};
use crate::fixture::CLIENT_KEY;

/// A client by the family that it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Chat,
    Responses,
    Messages,
    Gemini,
}

/// The tools that are offered: both take one text.
pub const TOOLS: [(&str, &str); 2] = [("get_weather", "city"), ("get_time", "zone")];

impl Client {
    pub const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    /// The family's name in audit lines.
    pub fn api(self) -> &'static str {
        match self {
            Self::Chat => "openai",
            Self::Responses => "openai_responses",
            Self::Messages => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The path of a call.
    pub fn path(self, model: &str, stream: bool) -> String {
        match (self, stream) {
            (Self::Chat, _) => "/v1/chat/completions".to_owned(),
            (Self::Responses, _) => "/v1/responses".to_owned(),
            (Self::Messages, _) => "/v1/messages".to_owned(),
            (Self::Gemini, false) => format!("/v1beta/models/{model}:generateContent"),
            (Self::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        }
    }

    /// A header of the family's own that no other family knows.
    pub fn own_header(self) -> (&'static str, &'static str) {
        match self {
            Self::Chat | Self::Responses => ("openai-beta", "assistants=v2"),
            Self::Messages => ("anthropic-beta", "fine-grained-tool-streaming-2025-05-14"),
            Self::Gemini => ("x-goog-api-client", "google-genai-sdk/1.0"),
        }
    }

    /// A body as a request to a path.
    pub fn to(self, path: &str, body: &Value) -> Request {
        let request = Request::new("POST", path).json(body.to_string());
        let (name, value) = self.own_header();
        let request = request.header(name, value);
        match self {
            Self::Chat | Self::Responses => request.key(CLIENT_KEY),
            Self::Messages => request.header("x-api-key", CLIENT_KEY).header("anthropic-version", "2023-06-01"),
            Self::Gemini => request.header("x-goog-api-key", CLIENT_KEY),
        }
    }

    /// A body as a request.
    pub fn request(self, model: &str, body: &Value, stream: bool) -> Request {
        let mut body = body.clone();
        if self != Self::Gemini {
            body["model"] = json!(model);
            if stream {
                body["stream"] = json!(true);
            }
        }
        self.to(&self.path(model, stream), &body)
    }

    /// The body of a question, with a system prompt.
    pub fn ask(self, says: &str) -> Value {
        let turn = self.user(says);
        match self {
            Self::Chat => json!({"messages": [{"role": "system", "content": "Be brief."}, turn], "max_tokens": 2048}),
            Self::Responses => {
                json!({"instructions": "Be brief.", "input": [turn], "max_output_tokens": 2048, "store": false})
            }
            Self::Messages => json!({"system": "Be brief.", "max_tokens": 2048, "messages": [turn]}),
            Self::Gemini => json!({
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [turn],
                "generationConfig": {"maxOutputTokens": 2048}
            }),
        }
    }

    /// The body of a question, with both tools.
    pub fn ask_with_tools(self, says: &str) -> Value {
        let mut body = self.ask(says);
        let schema =
            |member: &str| json!({"type": "object", "properties": {member: {"type": "string"}}, "required": [member]});
        let tool = |(name, member): (&str, &str)| {
            let about = format!("Says {name}.");
            match self {
                Self::Chat => {
                    json!({"type": "function", "function": {"name": name, "description": about, "parameters": schema(member)}})
                }
                Self::Responses => {
                    json!({"type": "function", "name": name, "description": about, "parameters": schema(member), "strict": false})
                }
                Self::Messages => json!({"name": name, "description": about, "input_schema": schema(member)}),
                Self::Gemini => json!({"name": name, "description": about, "parametersJsonSchema": schema(member)}),
            }
        };
        let tools = TOOLS.map(tool);
        body["tools"] = if self == Self::Gemini { json!([{"functionDeclarations": tools}]) } else { json!(tools) };
        body
    }

    /// Asks for thoughts.
    pub fn think(self, body: &mut Value) {
        match self {
            Self::Chat => body["reasoning_effort"] = json!("low"),
            Self::Responses => {
                body["reasoning"] = json!({"effort": "low", "summary": "auto"});
                body["include"] = json!(["reasoning.encrypted_content"]);
            }
            Self::Messages => body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024}),
            Self::Gemini => {
                body["generationConfig"]["thinkingConfig"] = json!({"thinkingBudget": 1024, "includeThoughts": true});
            }
        }
    }

    fn user(self, says: &str) -> Value {
        match self {
            Self::Chat => json!({"role": "user", "content": says}),
            Self::Responses => json!({"role": "user", "content": [{"type": "input_text", "text": says}]}),
            Self::Messages => json!({"role": "user", "content": [{"type": "text", "text": says}]}),
            Self::Gemini => json!({"role": "user", "parts": [{"text": says}]}),
        }
    }

    fn turns(self, body: &mut Value) -> &mut Vec<Value> {
        let name = match self {
            Self::Chat | Self::Messages => "messages",
            Self::Responses => "input",
            Self::Gemini => "contents",
        };
        body[name].as_array_mut().expect("turns")
    }

    /// Goes on with the results of all calls: each says `<name> of <argument>`. They come in the other order, but where
    /// calls have no ids and the order is all there is.
    pub fn send_results(self, body: &mut Value, said: &Said) {
        let mut calls: Vec<&Called> = said.calls.iter().collect();
        if self != Self::Gemini {
            calls.reverse();
        }
        let results: Vec<Value> = calls
            .into_iter()
            .map(|call| {
                let says = call.result();
                match self {
                    Self::Chat => json!({"role": "tool", "tool_call_id": call.id, "content": says}),
                    Self::Responses => json!({"type": "function_call_output", "call_id": call.id, "output": says}),
                    Self::Messages => json!({"type": "tool_result", "tool_use_id": call.id, "content": says}),
                    Self::Gemini => {
                        let mut response = json!({"name": call.name, "response": {"result": says}});
                        if !call.id.is_empty() {
                            response["id"] = json!(call.id);
                        }
                        json!({"functionResponse": response})
                    }
                }
            })
            .collect();
        let turns = self.turns(body);
        turns.extend(said.native.iter().cloned());
        match self {
            Self::Chat | Self::Responses => turns.extend(results),
            Self::Messages => turns.push(json!({"role": "user", "content": results})),
            Self::Gemini => turns.push(json!({"role": "user", "parts": results})),
        }
    }
}
