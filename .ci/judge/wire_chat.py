"""Judges OpenAI chat completions with the openai SDK: its request TypedDicts, its answer models, its stream state."""

import json

import openai
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming

import canned
from annotation import complaints, shown

# What compatible vendors and gateways add, on purpose, to OpenAI's own shapes: reasoning text and its proofs.
ADDED = {"*": ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", "cache_control"), "ChoiceDelta": ("annotations", "images")}
ADDED |= {"ChatCompletionMessage": ("images",)}  # as OpenRouter gives what was drawn
ADDED |= {"Annotation": ("index",)}  # what the SDK's own accumulator puts the entries of a streamed list together by


sdk = canned.Desk(lambda http: openai.OpenAI(api_key="k", base_url="http://weir.test/v1", max_retries=0, http_client=http))


def request(line):
    body = line["body"]
    form = CompletionCreateParamsStreaming if body.get("stream") else CompletionCreateParamsNonStreaming
    return complaints(body, form, allowed=ADDED) + (turns(body.get("messages", [])) if line.get("order", True) else [])


def turns(messages):
    """The order that the API insists on: every call is answered right after its turn, and nothing else is."""
    found, open_calls = [], set()
    for place, message in enumerate(messages):
        if not isinstance(message, dict):
            continue
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in open_calls:
                found.append(f"$.messages[{place}]: answers no call of the turn before: {shown(message.get('tool_call_id'))}")
            open_calls.discard(message.get("tool_call_id"))
            continue
        if open_calls:
            found.append(f"$.messages[{place}]: calls {sorted(map(str, open_calls))} have no answer before it")
        calls = [call.get("id") for call in message.get("tool_calls") or []]
        if len(calls) != len(set(calls)):
            found.append(f"$.messages[{place}]: two calls share an id")
        found += [f"$.messages[{place}]: call id {shown(one)} is longer than 40" for one in calls if len(str(one)) > 40]
        open_calls = set(calls)
    return found


def answer(line):
    body = line["body"]
    found = complaints(body, ChatCompletion, allowed=ADDED)
    try:
        ChatCompletion.model_validate(body)
        sdk(canned.Reply(body)).chat.completions.create(model="m", messages=[])
    except Exception as error:  # whatever the SDK throws at what it should take is the verdict
        found.append(f"the SDK refuses it: {first_line(error)}")
    return found


def stream(line):
    found = []
    sent = canned.events(line["raw"])
    done = bool(sent) and sent[-1].data == "[DONE]"
    values = canned.parsed([one for one in sent if one.data != "[DONE]"], found)
    if any(one.data == "[DONE]" for one in sent[:-1]):
        found.append("[DONE] is not the last event")
    failed = bool(values) and isinstance(values[-1], dict) and "error" in values[-1]
    if failed == done:
        found.append("must end with either [DONE] or an error event")
    chunks = values[:-1] if failed else values
    custom = any(is_custom(chunk) for chunk in chunks)
    for place, chunk in enumerate(chunks):
        here = complaints(chunk, ChatCompletionChunk, f"chunk {place}", ADDED)
        found += [one for one in here if not (custom and ".tool_calls[" in one)]
    found += story(chunks, done)
    if failed:
        found += complaint_of_error(values[-1])
    return found + ([] if custom else replay(line["raw"], failed))


def is_custom(chunk):
    """Whether a chunk holds a call of a custom tool. The API streams them; the SDK's types and accumulator know none."""
    calls = [call for choice in chunk.get("choices") or [] for call in (choice.get("delta") or {}).get("tool_calls") or []]
    return any("custom" in call for call in calls)


def story(chunks, done):
    """What a client relies on over several chunks."""
    found, finished, seen, usage_at = [], set(), set(), None
    if len({chunk.get("id") for chunk in chunks}) > 1:
        found.append("chunks have several ids")
    for place, chunk in enumerate(chunks):
        if chunk.get("usage"):
            usage_at = place
        for choice in chunk.get("choices") or []:
            index = choice.get("index")
            if index not in seen and choice.get("delta", {}).get("role") != "assistant":
                found.append(f"chunk {place}: the first delta of choice {index} has no role")
            seen.add(index)
            if index in finished:
                found.append(f"chunk {place}: choice {index} goes on after its finish_reason")
            if choice.get("finish_reason"):
                finished.add(index)
    if done and seen != finished:
        found.append(f"choices {sorted(seen - finished)} have no finish_reason")
    if usage_at is not None and done and usage_at != len(chunks) - 1:
        found.append("usage does not come last")
    return found


def replay(raw, failed):
    """The SDK reads the stream and puts the answer together."""
    state, found = ChatCompletionStreamState(), []
    try:
        with sdk(canned.Reply(raw, kind="text/event-stream")).chat.completions.create(model="m", messages=[], stream=True) as chunks:
            for chunk in chunks:
                state.handle_chunk(chunk)
        if failed:
            found.append("the SDK does not notice the error event")
        else:
            # Not get_final_completion(): it raises for an answer that was cut or filtered, whoever wrote it.
            final = json.loads(state.current_completion_snapshot.model_dump_json(by_alias=True, exclude_unset=True))
            for choice in final["choices"]:
                choice["message"].pop("parsed", None)
                for call in choice["message"].get("tool_calls") or []:
                    call.get("function", {}).pop("parsed_arguments", None)
                    call.pop("index", None)
                choice.setdefault("logprobs", None)
                choice["message"].setdefault("refusal", None)
                choice["message"].setdefault("content", None)
            final["object"] = "chat.completion"
            found += complaints(final, ChatCompletion, "put together", ADDED)
    except openai.APIError as error:
        if not failed:
            found.append(f"the SDK stops with {first_line(error)}")
    except Exception as error:  # the SDK's accumulator has no error type of its own
        found.append(f"the SDK cannot put it together: {type(error).__name__}: {first_line(error)}")
    return found


def complaint_of_error(body):
    found, error = [], body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return [f"an error body needs an object `error`, is {shown(body)}"]
    for name in ("message", "type"):
        if not isinstance(error.get(name), str):
            found.append(f"error.{name} must be text, is {shown(error.get(name))}")
    for name in ("param", "code"):
        if name not in error:
            found.append(f"error.{name} must stand, though it may be null")
        elif not isinstance(error[name], (str, type(None))):
            found.append(f"error.{name} must be text or null, is {shown(error[name])}")
    return found


def error(line):
    return complaint_of_error(line["body"]) + raised(line, lambda client: client.chat.completions.create(model="m", messages=[]))


def raised(line, call):
    """The SDK must throw the status's own error, with the body's words in it."""
    status = line.get("status", 400)
    try:
        call(sdk(canned.Reply(line["body"], status, line.get("headers"))))
    except openai.APIStatusError as error:
        body = line["body"].get("error", {}) if isinstance(line["body"], dict) else {}
        found = [] if error.status_code == status else [f"the SDK sees status {error.status_code}, not {status}"]
        if isinstance(body, dict) and (error.code, error.type) != (body.get("code"), body.get("type")):
            found.append(f"the SDK sees code {error.code!r} and type {error.type!r}")
        return found
    except Exception as error:
        return [f"the SDK throws {type(error).__name__}: {first_line(error)}"]
    return ["the SDK does not notice the error"]


def first_line(error):
    return " ".join(str(error).split())[:300]
