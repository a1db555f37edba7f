"""Judges OpenAI responses with the openai SDK: its request TypedDicts, its answer models, its stream state."""

import openai
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseInputAudioParam, ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming, ResponseCreateParamsStreaming

import canned
import wire_chat
from annotation import complaints, shown
from wire_chat import first_line

# What the API sends and the SDK's types do not know.
ADDED = {"Response": ("store",), "ResponseTextDeltaEvent": ("obfuscation",), "ResponseCustomToolCall": ("status",)}
ADDED |= {"ResponseFunctionCallArgumentsDoneEvent": ("name",)}  # which older SDKs demand
ADDED |= {name: ("obfuscation",) for name in ("ResponseFunctionCallArgumentsDeltaEvent", "ResponseReasoningSummaryTextDeltaEvent", "ResponseRefusalDeltaEvent")}

# Codes of `response.failed` that the SDK's list lacks. Codex acts on each of them.
CODES = ("context_length_exceeded", "insufficient_quota", "server_is_overloaded", "slow_down")

# Members that fixtures leave out of each `response` of a stream, to be short.
SHORTENED = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}

TERMINAL = ("response.completed", "response.incomplete", "response.failed")


def request(line):
    body = line["body"]
    form = ResponseCreateParamsStreaming if body.get("stream") else ResponseCreateParamsNonStreaming
    if not isinstance(body.get("input"), list):
        return complaints(body, form)
    sounds = [part for item in body["input"] for part in parts_of(item) if part.get("type") == "input_audio"]
    found = [line for part in sounds for line in complaints(part, ResponseInputAudioParam, "$.input: a part")]
    body = {**body, "input": [as_output(item) for item in body["input"]]}
    return found + complaints(body, form) + (pairs(body["input"]) if line.get("order", True) else [])


def parts_of(item):
    content = item.get("content") if isinstance(item, dict) else None
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def as_output(item):
    """A past answer, with what the types demand of one and the API does not: leaving a foreign id out is right."""
    if not isinstance(item, dict) or not isinstance(item.get("content"), list):
        return item
    if item.get("role") != "assistant":
        # The SDK has a type for sound and left it out of the list of parts.
        return {**item, "content": [part for part in item["content"] if not isinstance(part, dict) or part.get("type") != "input_audio"]}
    content = [{"annotations": [], **one} if isinstance(one, dict) and one.get("type") == "output_text" else one for one in item["content"]]
    return {"id": "msg_0", "status": "completed", "type": "message", **item, "content": content}


def pairs(items):
    """Every output answers a call that stands before it, once; every call has its output."""
    found, calls = [], {}
    for place, item in enumerate(items):
        kind = item.get("type") if isinstance(item, dict) else None
        if kind in ("function_call", "custom_tool_call"):
            if item.get("call_id") in calls:
                found.append(f"$.input[{place}]: a second call has the id {shown(item.get('call_id'))}")
            calls[item.get("call_id")] = kind
        if kind in ("function_call_output", "custom_tool_call_output"):
            if calls.get(item.get("call_id")) != kind.removesuffix("_output"):
                found.append(f"$.input[{place}]: answers no call: {shown(item.get('call_id'))}")
            calls[item.get("call_id")] = "answered"
    return found + [f"$.input: call {shown(name)} has no output" for name, state in calls.items() if state != "answered"]


def answer(line):
    body = line["body"]
    found = complaints(body, Response, allowed=ADDED)
    try:
        Response.model_validate(body)
        wire_chat.sdk(canned.Reply(body)).responses.create(model="m", input="")
    except Exception as error:  # whatever the SDK throws at what it should take is the verdict
        found.append(f"the SDK refuses it: {first_line(error)}")
    return found


def stream(line):
    found = []
    sent = canned.events(line["raw"])
    values = canned.parsed(sent, found)
    for place, (event, value) in enumerate(zip(sent, values)):
        if event.name != value.get("type"):
            found.append(f"event {place}: is named {event.name!r} and has type {value.get('type')!r}")
        if value.get("sequence_number") != place:
            found.append(f"event {place}: sequence_number is {value.get('sequence_number')!r}")
        if line.get("fixture") and isinstance(value.get("response"), dict):
            value = {**value, "response": {**SHORTENED, **value["response"]}}
        found += complaints(with_known_code(value), ResponseStreamEvent, f"event {place} {value.get('type')}", ADDED)
    if not values:
        return found + ["the stream is empty"]
    kinds = [value.get("type") for value in values]
    failed = kinds[-1] == "error"
    if not failed and kinds[-1] not in TERMINAL:
        found.append(f"the stream ends with {kinds[-1]}, which is no terminal event")
    if any(kind in TERMINAL for kind in kinds[:-1]):
        found.append("something follows the terminal event")
    if not failed:
        found += story(values, bool(line.get("fixture")))
    return found + replay(line["raw"], failed)


def with_known_code(value):
    """A failure whose code is in the SDK's list, if it is one that only Codex knows."""
    response = value.get("response")
    error = response.get("error") if isinstance(response, dict) else None
    if not isinstance(error, dict) or error.get("code") not in CODES:
        return value
    return {**value, "response": {**response, "error": {**error, "code": "server_error"}}}


def story(values, lenient):
    """Items open and close in order, deltas add up to what `done` says, and the last response holds all of it (which other
    vendors, whom fixtures quote, do not all keep to)."""
    found, items, finished, text = [], {}, {}, {}
    for place, value in enumerate(values):
        kind, index = value.get("type", ""), value.get("output_index")
        if place == 0 and kind != "response.created":
            found.append(f"the first event is {kind}")
        if kind == "response.output_item.added":
            if index != len(items):
                found.append(f"event {place}: item {index} is added when {len(items)} are there")
            items[index] = value["item"]
        elif kind == "response.output_item.done":
            if items.get(index, {}).get("id") != value["item"].get("id"):
                found.append(f"event {place}: item {index} is done under another id")
            finished[index] = value["item"]
        elif index is not None and (index not in items or index in finished):
            found.append(f"event {place}: {kind} belongs to item {index}, which is not open")
        elif index is not None and value.get("item_id") != items[index].get("id"):
            found.append(f"event {place}: {kind} names item {value.get('item_id')!r}")
        if kind.endswith(".delta"):
            key = (kind.removesuffix(".delta"), index, value.get("content_index"), value.get("summary_index"))
            text[key] = text.get(key, "") + value.get("delta", "")
        if kind.endswith(".done") and (kind.removesuffix(".done"), index, value.get("content_index"), value.get("summary_index")) in text:
            key = (kind.removesuffix(".done"), index, value.get("content_index"), value.get("summary_index"))
            whole = next((value[name] for name in ("text", "arguments", "input", "refusal") if name in value), None)
            if whole != text[key]:
                found.append(f"event {place}: {kind} has {shown(whole)}, the deltas add up to {shown(text[key])}")
    last = values[-1].get("response", {})
    if last.get("status") != "failed":
        if set(items) != set(finished):
            found.append(f"items {sorted(set(items) - set(finished))} are never done")
        if not lenient and last.get("output") != [finished[index] for index in sorted(finished)]:
            found.append("the last response does not hold the items as they were done")
    return found


def replay(raw, failed):
    """The SDK reads the stream and puts the answer together."""
    state = ResponseStreamState(text_format=openai.omit, input_tools=openai.omit)
    found, last = [], None
    try:
        with wire_chat.sdk(canned.Reply(raw, kind="text/event-stream")).responses.create(model="m", input="", stream=True) as events:
            for event in events:
                last = event
                if event.type != "error":
                    state.handle_event(event)
    except Exception as error:  # the SDK's accumulator has no error type of its own
        if not (failed and isinstance(error, openai.APIError)):
            found.append(f"the SDK cannot put it together: {type(error).__name__}: {first_line(error)}")
        return found
    if not failed and last is not None and last.type == "response.completed":
        if state._completed_response is None:
            found.append("the SDK has no final response")
    return found


def error(line):
    return wire_chat.complaint_of_error(line["body"]) + wire_chat.raised(
        line, lambda client: client.responses.create(model="m", input="")
    )

