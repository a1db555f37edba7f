"""The judge's own test: sound bodies that must pass, and bodies with one planted fault each that must be refused for it."""

import copy
import json

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}

# One tool turn in every family: the system says "S", the user asks, the model calls, the result is "7C".
REQUESTS = {
    "chat": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": "Oslo?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "7C"},
        ],
        "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}],
    },
    "responses": {
        "model": "m",
        "instructions": "S",
        "input": [
            {"role": "user", "content": "Oslo?"},
            {"role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Oslo"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "7C"},
        ],
        "tools": [{"type": "function", "name": "get_weather", "strict": False, "parameters": PARAMETERS}],
    },
    "messages": {
        "model": "m",
        "max_tokens": 1024,
        "temperature": 0.5,
        "system": "S",
        "messages": [
            {"role": "user", "content": "Oslo?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Oslo"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "7C"}]},
        ],
        "tools": [{"name": "get_weather", "input_schema": PARAMETERS}],
    },
    "gemini": {
        "systemInstruction": {"parts": [{"text": "S"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Oslo?"}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}}, "thoughtSignature": "c2ln"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"output": "7C"}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "get_weather", "parametersJsonSchema": PARAMETERS}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        "generationConfig": {"maxOutputTokens": 64, "topK": 4, "stopSequences": ["."], "thinkingConfig": {"thinkingBudget": 0}},
    },
    "converse": {
        "system": [{"text": "S"}],
        "messages": [
            {"role": "user", "content": [{"text": "Oslo?"}, {"image": {"format": "png", "source": {"bytes": "iVBORw=="}}}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "call_1", "name": "get_weather", "input": {"city": "Oslo"}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "call_1", "content": [{"text": "7C"}]}}]},
        ],
        "inferenceConfig": {"maxTokens": 64},
        "toolConfig": {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": PARAMETERS}}}]},
    },
    "cohere": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": "Oslo?"},
            {
                "role": "assistant",
                "tool_plan": "I look.",
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "7C"},
        ],
        "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}],
        "tool_choice": "REQUIRED",
        "stop_sequences": ["."],
    },
}

# Where a fault is put (a path of keys), what is put there, and the words that a complaint must hold.
GONE = object()
REQUEST_FAULTS = {
    "chat": [
        ("an unknown member", ["top_k"], 4, "top_k"),
        ("a content part of another family", ["messages", 1, "content"], [{"type": "input_text", "text": "x"}], "input_text"),
        ("arguments as an object", ["messages", 2, "tool_calls", 0, "function", "arguments"], {}, "arguments"),
        ("a result of no call", ["messages", 3, "tool_call_id"], "call_2", "answers no call"),
        ("no messages", ["messages"], GONE, "messages"),
        ("a number as text", ["max_completion_tokens"], "64", "max_completion_tokens"),
        ("a choice of another family", ["tool_choice"], {"type": "any"}, "tool_choice"),
    ],
    "responses": [
        ("a nested function", ["tools", 0], {"type": "function", "function": {"name": "x"}}, "function"),
        ("stop, which it has not", ["stop"], ["."], "stop"),
        ("a user part of an answer's kind", ["input", 0, "content"], [{"type": "output_text", "text": "x"}], "output_text"),
        ("an output of no call", ["input", 3, "call_id"], "call_2", "answers no call"),
        ("a format that is nested", ["text"], {"format": {"type": "json_schema", "json_schema": {}}}, "json_schema"),
    ],
    "messages": [
        ("no max_tokens", ["max_tokens"], GONE, "max_tokens"),
        ("a role of another family", ["messages", 2, "role"], "tool", "role"),
        ("input as text", ["messages", 1, "content", 0, "input"], "{}", "input"),
        ("a choice as text", ["tool_choice"], "auto", "tool_choice"),
        ("a result of no call", ["messages", 2, "content", 0, "tool_use_id"], "call_2", "answers"),
        ("a blank text", ["messages", 0, "content"], " ", "blank text"),
        ("a budget over the cap", ["thinking"], {"type": "enabled", "budget_tokens": 2048}, "budget_tokens"),
        ("an image without its kind", ["messages", 0, "content"], [{"type": "image", "source": {"type": "base64", "data": "AA=="}}], "media_type"),
    ],
    "gemini": [
        ("a snake_case member", ["generationConfig", "top_p"], 0.5, "top_p"),
        ("args as text", ["contents", 1, "parts", 0, "functionCall", "args"], "{}", "args"),
        ("a mode that is none", ["toolConfig", "functionCallingConfig", "mode"], "REQUIRED", "REQUIRED"),
        ("data that is not base64", ["contents", 0, "parts", 1, "inlineData", "data"], "***", "base64"),
        ("no turns", ["contents"], [], "contents"),
        ("two turns of one role", ["contents", 1, "role"], "user", "in a row"),
        ("a tier in the wrong place", ["generationConfig", "serviceTier"], "flex", "serviceTier"),
    ],
    "converse": [
        ("an unknown member", ["topK"], 4, "topK"),
        ("an unknown member deep down", ["messages", 0, "content", 0, "cacheControl"], {}, "cacheControl"),
        ("a name with a dot", ["toolConfig", "tools", 0, "toolSpec", "name"], "get.weather", "does not fit"),
        ("bytes that are not base64", ["messages", 0, "content", 1, "image", "source", "bytes"], "***", "base64"),
        ("a format that is none", ["messages", 0, "content", 1, "image", "format"], "bmp", "bmp"),
        ("two members of a union", ["messages", 2, "content", 0, "text"], "x", "union"),
        ("no result", ["messages", 2, "content"], [{"text": "x"}], "calls before"),
        ("a schema as an object", ["outputConfig"], {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": {}}}}}, "schema"),
    ],
    "cohere": [
        ("OpenAI's choice", ["tool_choice"], "required", "required"),
        ("OpenAI's stop", ["stop"], ["."], "stop"),
        ("OpenAI's format", ["response_format"], {"type": "json_schema", "json_schema": {}}, "json_schema"),
        ("an audio part", ["messages", 1, "content"], [{"type": "input_audio", "input_audio": {}}], "input_audio"),
        ("a result of no call", ["messages", 3, "tool_call_id"], "call_2", "answers no call"),
        ("a tool without parameters", ["tools", 0, "function"], {"description": "x"}, "name"),
    ],
}

USAGE = {
    "chat": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    "responses": {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 5,
    },
}

ITEM = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}],
}

RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "m",
    "output": [ITEM],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": None,
    "temperature": None,
    "top_p": None,
    "usage": USAGE["responses"],
}

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hi", "citations": None}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}

ANSWERS = {
    "chat": {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi", "refusal": None}, "finish_reason": "stop", "logprobs": None}],
        "usage": USAGE["chat"],
    },
    "responses": RESPONSE,
    "messages": MESSAGE,
    "gemini": {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
        "modelVersion": "m",
        "responseId": "r",
    },
    "converse": {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5},
        "metrics": {"latencyMs": 1},
    },
    "cohere": {
        "id": "c",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
        "usage": {"tokens": {"input_tokens": 3.0, "output_tokens": 2.0}},
    },
}

ANSWER_FAULTS = {
    "chat": [
        ("a finish of another family", ["choices", 0, "finish_reason"], "end_turn", "end_turn"),
        ("no created", ["created"], GONE, "created"),
        ("a misspelt usage", ["usage", "input_tokens"], 3, "input_tokens"),
    ],
    "responses": [
        ("a status that is none", ["status"], "done", "done"),
        ("an item without its id", ["output", 0, "id"], GONE, "id"),
        ("no tools", ["tools"], GONE, "tools"),
    ],
    "messages": [
        ("a stop of another family", ["stop_reason"], "stop", "stop_reason"),
        ("no usage", ["usage"], GONE, "usage"),
        ("content as text", ["content"], "Hi", "content"),
    ],
    "gemini": [
        ("a finish that is none", ["candidates", 0, "finishReason"], "stop", "stop"),
        ("a snake_case member", ["usage_metadata"], {}, "usage_metadata"),
        ("no finish", ["candidates", 0, "finishReason"], GONE, "finishReason"),
    ],
    "converse": [("a stop that is none", ["stopReason"], "stop", "stop"), ("no usage", ["usage"], GONE, "usage")],
    "cohere": [("a finish that is none", ["finish_reason"], "stop", "stop"), ("no message", ["message"], GONE, "message")],
}


def chunk(delta, finish=None, **more):
    choices = [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}


CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}

PART = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


def place(number, kind, **more):
    return {"type": kind, "sequence_number": number, **more}


# A stream is a list of data; its events are named as its family names them.
STREAMS = {
    "chat": [
        chunk({"role": "assistant", "content": None, "tool_calls": [CALL]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Oslo"}'}}]}),
        chunk({}, "tool_calls"),
        {**chunk({}), "choices": [], "usage": USAGE["chat"]},
        "[DONE]",
    ],
    "responses": [
        place(0, "response.created", response={**RESPONSE, "status": "in_progress", "output": [], "usage": None}),
        place(1, "response.in_progress", response={**RESPONSE, "status": "in_progress", "output": [], "usage": None}),
        place(2, "response.output_item.added", output_index=0, item={**ITEM, "status": "in_progress", "content": []}),
        place(3, "response.content_part.added", item_id="msg_1", output_index=0, content_index=0, part=PART),
        place(4, "response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta="H", logprobs=[]),
        place(5, "response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta="i", logprobs=[]),
        place(6, "response.output_text.done", item_id="msg_1", output_index=0, content_index=0, text="Hi", logprobs=[]),
        place(7, "response.content_part.done", item_id="msg_1", output_index=0, content_index=0, part=ITEM["content"][0]),
        place(8, "response.output_item.done", output_index=0, item=ITEM),
        place(9, "response.completed", response=RESPONSE),
    ],
    "messages": [
        {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"city":'}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '"Oslo"}'}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ],
    "gemini": [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "H"}]}, "index": 0}], "responseId": "r"},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "i"}]}, "finishReason": "STOP", "index": 0}], "responseId": "r"},
    ],
    "cohere": [
        {"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}},
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 3.0, "output_tokens": 2.0}}}},
    ],
}

STREAM_FAULTS = {
    "chat": [
        ("no end", [5], GONE, "must end"),
        ("no finish", [3], GONE, "no finish_reason"),
        ("no role", [0, "choices", 0, "delta", "role"], GONE, "no role"),
        ("another id", [2, "id"], "d", "several ids"),
        ("a call without index", [1, "choices", 0, "delta", "tool_calls", 0, "index"], GONE, "index"),
    ],
    "responses": [
        ("no end", [9], GONE, "no terminal event"),
        ("a gap in the numbers", [5, "sequence_number"], 7, "sequence_number"),
        ("a delta of an item that is not there", [4, "output_index"], 1, "not open"),
        ("a text that does not add up", [6, "text"], "Ho", "add up"),
        ("a last response without the items", [9, "response", "output"], [], "does not hold"),
        ("a delta without logprobs", [4, "logprobs"], GONE, "logprobs"),
    ],
    "messages": [
        ("no end", [7], GONE, "no clean end"),
        ("no start", [0], GONE, "out of place"),
        ("a block that stays open", [5], GONE, "is open"),
        ("a jump of the index", [2, "index"], 1, "next should be"),
        ("no stop reason", [6, "delta", "stop_reason"], None, "no stop_reason"),
        ("a delta of another family", [3, "delta"], {"type": "text", "text": "x"}, "delta"),
    ],
    "gemini": [
        ("no end", [1], GONE, "no finishReason"),
        ("an unknown member", [0, "choices"], [], "choices"),
        ("an error that is none", [1], {"error": "slow"}, "error"),
    ],
    "cohere": [("no end", [4], GONE, "message-end"), ("a type that is none", [3, "type"], "content-stop", "content-stop")],
}

ERRORS = {
    "chat": (429, {"error": {"message": "slow down", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}}),
    "responses": (404, {"error": {"message": "no such model", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}}),
    "messages": (529, {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}, "request_id": "req_1"}),
    "gemini": (429, {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}),
    "converse": (400, {"message": "no"}),
    "cohere": (400, {"message": "no"}),
}

ERROR_FAULTS = {
    "chat": [("a message alone", ["error"], "slow down", "object `error`"), ("no param", ["error", "param"], GONE, "param")],
    "responses": [("a number as code", ["error", "code"], 404, "code")],
    "messages": [("a type that is none", ["error", "type"], "server_error", "server_error"), ("OpenAI's form", ["type"], GONE, "type")],
    "gemini": [("a code that is text", ["error", "code"], "429", "code"), ("a status that is not HTTP's", ["error", "code"], 400, "HTTP")],
    "converse": [("OpenAI's form", ["message"], {"text": "no"}, "message")],
    "cohere": [("OpenAI's form", ["message"], GONE, "message")],
}


def raw(wire, data):
    """A stream's text as its family writes it."""
    text = ""
    for one in data:
        named = wire in ("responses", "messages") and isinstance(one, dict)
        text += (f"event: {one['type']}\n" if named else "") + f"data: {one if isinstance(one, str) else json.dumps(one)}\n\n"
    return text


def changed(body, path, value):
    body = copy.deepcopy(body)
    place = body
    for key in path[:-1]:
        place = place[key]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return body


def sound():
    for wire, body in REQUESTS.items():
        yield {"kind": "request", "wire": wire, "name": "a tool turn", "body": body}
    for wire, body in ANSWERS.items():
        yield {"kind": "answer", "wire": wire, "name": "a text", "body": body}
    for wire, data in STREAMS.items():
        yield {"kind": "stream", "wire": wire, "name": "a short one", "raw": raw(wire, data)}
    for wire, (status, body) in ERRORS.items():
        yield {"kind": "error", "wire": wire, "name": "one", "status": status, "body": body}
    yield {"kind": "stream", "wire": "gemini", "name": "as an array", "raw": json.dumps(STREAMS["gemini"])}
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}, "request_id": None}
    yield {"kind": "stream", "wire": "messages", "name": "an error after a start", "raw": raw("messages", [STREAMS["messages"][0], error])}
    yield {"kind": "stream", "wire": "chat", "name": "an error after a start", "raw": raw("chat", [STREAMS["chat"][0], ERRORS["chat"][1]])}
    yield {"kind": "stream", "wire": "gemini", "name": "an error after a start", "raw": raw("gemini", [STREAMS["gemini"][0], ERRORS["gemini"][1]])}
    failed = {**RESPONSE, "status": "failed", "output": [], "usage": None, "error": {"code": "server_error", "message": "cut"}}
    opening = STREAMS["responses"][:2]
    yield {"kind": "stream", "wire": "responses", "name": "a failure", "raw": raw("responses", [*opening, place(2, "response.failed", response=failed)])}
    error = place(2, "error", code="server_error", message="cut", param=None)
    yield {"kind": "stream", "wire": "responses", "name": "an error after a start", "raw": raw("responses", [*opening, error])}


def faulty():
    """Lines with one fault each; `must` is what a complaint has to speak of."""
    for wire, faults in REQUEST_FAULTS.items():
        for name, path, value, must in faults:
            yield {"kind": "request", "wire": wire, "name": name, "body": changed(REQUESTS[wire], path, value), "must": must}
    for wire, faults in ANSWER_FAULTS.items():
        for name, path, value, must in faults:
            yield {"kind": "answer", "wire": wire, "name": name, "body": changed(ANSWERS[wire], path, value), "must": must}
    for wire, faults in STREAM_FAULTS.items():
        for name, path, value, must in faults:
            yield {"kind": "stream", "wire": wire, "name": name, "raw": raw(wire, changed(STREAMS[wire], path, value)), "must": must}
    for wire, faults in ERROR_FAULTS.items():
        for name, path, value, must in faults:
            status, body = ERRORS[wire]
            yield {"kind": "error", "wire": wire, "name": name, "status": status, "body": changed(body, path, value), "must": must}
