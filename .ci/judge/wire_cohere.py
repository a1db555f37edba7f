"""Judges Cohere v2 chat with the cohere SDK: the parameters of its chat call, its answer and stream models."""

import json
import typing

import cohere
import httpx
from cohere.v2.client import V2Client
from cohere.v2.types.v2chat_response import V2ChatResponse
from cohere.v2.types.v2chat_stream_response import V2ChatStreamResponse

import canned
from annotation import complaints, shown

# What the API sends and the SDK's types do not know.
ADDED = {"ChatMessageStartEventDeltaMessage": ("content", "tool_plan", "tool_calls", "citations")}

PARAMETERS = {
    name: hint
    for name, hint in typing.get_type_hints(V2Client.chat, include_extras=True).items()
    if name not in ("return", "request_options")
}


sdk = canned.Desk(lambda http: cohere.ClientV2(api_key="k", base_url="http://weir.test", httpx_client=http), httpx)


def request(line):
    body = dict(line["body"])
    found = complaints(body.pop("stream"), bool, "$.stream") if "stream" in body else []
    for name, value in body.items():
        if name in PARAMETERS:
            found += complaints(value, PARAMETERS[name], f"$.{name}")
        else:
            found.append(f"$: a chat request has no member {name!r}")
    found += [f"$: a chat request needs {name!r}" for name in ("model", "messages") if name not in body]
    return found + (turns(body.get("messages", [])) if line.get("order", True) else [])


def turns(messages):
    """Every call is answered right after its turn."""
    found, open_calls = [], set()
    for place, message in enumerate(messages):
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in open_calls:
                found.append(f"$.messages[{place}]: answers no call of the turn before: {shown(message.get('tool_call_id'))}")
            open_calls.discard(message.get("tool_call_id"))
            continue
        if open_calls:
            found.append(f"$.messages[{place}]: calls {sorted(map(str, open_calls))} have no answer before it")
        open_calls = {call.get("id") for call in message.get("tool_calls") or []}
        if message.get("role") == "assistant" and not (message.get("content") or open_calls):
            found.append(f"$.messages[{place}]: has neither content nor calls")
    return found + ([f"$.messages: calls {sorted(map(str, open_calls))} have no answer"] if open_calls else [])


def answer(line):
    body = line["body"]
    found = complaints(body, V2ChatResponse)
    try:
        sdk(canned.Reply(body)).chat(model="m", messages=[])
    except Exception as error:  # whatever the SDK throws at what it should take is the verdict
        found.append(f"the SDK refuses it: {' '.join(str(error).split())[:300]}")
    return found


def stream(line):
    found = []
    sent = [event for event in canned.events(line["raw"]) if event.data != "[DONE]"]
    values = canned.parsed(sent, found)
    for place, value in enumerate(values):
        found += complaints(value, V2ChatStreamResponse, f"event {place} {value.get('type')}", ADDED)
    if not values or values[-1].get("type") != "message-end":
        found.append("the stream does not end with message-end")
    try:
        read = list(sdk(canned.Reply(line["raw"], kind="text/event-stream")).chat_stream(model="m", messages=[]))
        if len(read) != len(values):
            found.append(f"the SDK reads {len(read)} of {len(values)} events")
    except Exception as error:
        found.append(f"the SDK refuses it: {' '.join(str(error).split())[:300]}")
    return found


def error(line):
    body = line.get("body")
    if not isinstance(body, dict) or not isinstance(body.get("message"), str):
        return [f"an error body needs the text `message`, is {json.dumps(body)[:80]}"]
    return []
