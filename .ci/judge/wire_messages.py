"""Judges Anthropic messages with the anthropic SDK: its request TypedDicts, its answer models, its message stream."""

import anthropic
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.beta.message_create_params import MessageCreateParamsNonStreaming as BetaParams
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from anthropic.types.shared.error_response import ErrorResponse

import canned
from annotation import complaints, shown

# The SDK writes for API version 2026-10-21, which has no sampling members; 2023-06-01, which translated traffic names,
# takes them still.
SAMPLING = {"temperature": float, "top_p": float, "top_k": int}

# Weir's own stable code, beside the vendor's type.
CODE = {"*": ("code",)}

# Types that the vendor's pages list and the SDK's union lacks.
DOCUMENTED = ("request_too_large", "conflict_error")

STARTS = {"content_block_start", "content_block_delta", "content_block_stop"}


sdk = canned.Desk(lambda http: anthropic.Anthropic(api_key="k", base_url="http://weir.test", max_retries=0, http_client=http))


def call(client):
    return client.messages.create(model="m", max_tokens=1, messages=[])


def request(line):
    body = dict(line["body"])
    found = []
    if line.get("vertex"):
        found += [f"$: Vertex takes no {name!r} in the body" for name in ("model",) if name in body]
        version = body.pop("anthropic_version", None)
        found += [] if version in ("vertex-2023-10-16", "2026-10-21") else [f"$.anthropic_version: is {shown(version)}"]
        body["model"] = line.get("model") or "m"
    for name, kind in SAMPLING.items():
        if name in body:
            found += complaints(body.pop(name), kind, f"$.{name}")
    if line.get("beta"):
        found += complaints(body, BetaParams, allowed={"MessageCreateParamsNonStreaming": ("stream",)})
    else:
        found += complaints(body, MessageCreateParamsStreaming if body.get("stream") else MessageCreateParamsNonStreaming)
    return found + (turns(body) if line.get("order", True) else [])


def turns(body):
    """The order that the API insists on, and what else it refuses that no type says."""
    found, open_calls = [], set()
    messages = [one for one in body.get("messages", []) if isinstance(one, dict)]
    if messages and messages[0].get("role") != "user":
        found.append("$.messages[0]: the first message must be the user's")
    for place, message in enumerate(messages):
        blocks = message.get("content")
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks or []
        kinds = [block.get("type") for block in blocks if isinstance(block, dict)]
        results = [block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"]
        if set(results) != open_calls and (open_calls or results):
            found.append(f"$.messages[{place}]: answers {sorted(map(str, results))}, the calls before are {sorted(map(str, open_calls))}")
        if len(results) != len(set(results)):
            found.append(f"$.messages[{place}]: answers a call twice")
        if "tool_result" in kinds and kinds[: len(results)] != ["tool_result"] * len(results):
            found.append(f"$.messages[{place}]: tool results must come first")
        thinking = [at for at, kind in enumerate(kinds) if kind in ("thinking", "redacted_thinking")]
        if thinking and thinking[0] != 0:
            found.append(f"$.messages[{place}]: thinking must come first")
        if not blocks:
            found.append(f"$.messages[{place}]: is empty")
        found += [f"$.messages[{place}].content[{at}]: blank text" for at, one in enumerate(blocks) if is_blank(one)]
        open_calls = {block.get("id") for block in blocks if block.get("type") == "tool_use"}
    if open_calls:
        found.append(f"$.messages: calls {sorted(map(str, open_calls))} have no answer")
    budget = (body.get("thinking") or {}).get("budget_tokens")
    if budget is not None and not 1024 <= budget < body.get("max_tokens", 0):
        found.append(f"$.thinking.budget_tokens: {budget} is not between 1024 and max_tokens")
    return found


def is_blank(block):
    return block.get("type") == "text" and not str(block.get("text", "")).strip()


def answer(line):
    body = line["body"]
    found = complaints(body, Message)
    try:
        Message.model_validate(body)
        call(sdk(canned.Reply(body)))
    except Exception as error:  # whatever the SDK throws at what it should take is the verdict
        found.append(f"the SDK refuses it: {first_line(error)}")
    return found


def stream(line):
    found = []
    sent = canned.events(line["raw"])
    values = canned.parsed(sent, found)
    for place, (event, value) in enumerate(zip(sent, values)):
        kind = value.get("type")
        if event.name != kind:
            found.append(f"event {place}: is named {event.name!r} and has type {kind!r}")
        if kind == "error":
            found += complaints(value, ErrorResponse, f"event {place} error", CODE)
        elif kind != "ping":
            found += complaints(value, RawMessageStreamEvent, f"event {place} {kind}")
    kinds = [value.get("type") for value in values if value.get("type") != "ping"]
    if not kinds:
        return found + ["the stream is empty"]
    failed = kinds[-1] == "error"
    if not failed and kinds[-1] != "message_stop":
        found.append(f"the stream ends with {kinds[-1]}, which is no clean end")
    if "error" in kinds[:-1] or "message_stop" in kinds[:-1]:
        found.append("something follows the end")
    found += story([value for value in values if value.get("type") not in ("ping", "error")], failed)
    return found + replay(line["raw"], failed)


def story(values, failed):
    """One start, blocks one after another with rising indexes, one stop reason, one stop."""
    found, open_block, seen, reasons = [], None, 0, []
    for place, value in enumerate(values):
        kind, index = value.get("type"), value.get("index")
        if (kind == "message_start") != (place == 0):
            found.append(f"event {place}: {kind} out of place")
        if kind == "content_block_start":
            if open_block is not None or index != seen:
                found.append(f"event {place}: block {index} starts, open is {open_block}, next should be {seen}")
            open_block, seen = index, seen + 1
        elif kind in STARTS and index != open_block:
            found.append(f"event {place}: {kind} of block {index}, open is {open_block}")
        if kind == "content_block_stop":
            open_block = None
        if kind == "message_delta":
            if open_block is not None:
                found.append(f"event {place}: message_delta while block {open_block} is open")
            reasons.append(value.get("delta", {}).get("stop_reason"))
    if not failed and (not reasons or reasons[-1] is None):
        found.append("no stop_reason")
    return found


def replay(raw, failed):
    """The SDK reads the stream and puts the message together."""
    found = []
    try:
        with sdk(canned.Reply(raw, kind="text/event-stream")).messages.stream(model="m", max_tokens=1, messages=[]) as events:
            for _event in events:
                pass
            final = events.get_final_message()
        if failed:
            found.append("the SDK does not notice the error event")
        found += complaints(final.model_dump(mode="json", by_alias=True, exclude_unset=True), Message, "put together", {"*": ("parsed_output",)})
    except anthropic.APIStatusError as error:
        if not failed:
            found.append(f"the SDK stops with {first_line(error)}")
    except Exception as error:  # the SDK's accumulator has no error type of its own
        found.append(f"the SDK cannot put it together: {type(error).__name__}: {first_line(error)}")
    return found


def error(line):
    status = line.get("status", 400)
    body = line["body"]
    if isinstance(body, dict) and isinstance(body.get("error"), dict) and body["error"].get("type") in DOCUMENTED:
        body = {**body, "error": {**body["error"], "type": "invalid_request_error"}}
    found = complaints(body, ErrorResponse, allowed=CODE) if isinstance(body, dict) else ["an error body must be an object"]
    found = [one for one in found if "needs 'request_id'" not in one]
    try:
        call(sdk(canned.Reply(line["body"], status, line.get("headers"))))
    except anthropic.APIStatusError as error:
        return found + ([] if error.status_code == status else [f"the SDK sees status {error.status_code}, not {status}"])
    except Exception as error:
        return found + [f"the SDK throws {type(error).__name__}: {first_line(error)}"]
    return found + ["the SDK does not notice the error"]


def first_line(error):
    return " ".join(str(error).split())[:300]
