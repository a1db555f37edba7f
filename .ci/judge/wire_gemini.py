"""Judges Gemini generateContent with the google-genai SDK: its types, and its own writer of the same body."""

import json

from google import genai
from google.genai import errors, types

import canned
from annotation import complaints, shown

CONFIG = types.GenerateContentConfig.model_fields

# Members of the body that the SDK keeps in the config; all others of the config stand in `generationConfig`.
BESIDE = ("systemInstruction", "tools", "toolConfig", "safetySettings", "cachedContent", "labels", "serviceTier", "store", "modelArmorConfig")


def desk(vertex):
    def make(http):
        options = types.HttpOptions(base_url="http://weir.test", httpx_client=http)
        return genai.Client(api_key="k", vertexai=vertex, http_options=options)

    return canned.Desk(make)


sdk, sdk_of_vertex = desk(None), desk(True)


def request(line):
    """The body is given to the SDK as its own types, and what the SDK would send for it must be that body again."""
    body, vertex = line["body"], bool(line.get("vertex"))
    known = ("contents", "generationConfig", *BESIDE)
    found = [f"$: a request has no member {name!r}" for name in body if name not in known]
    config = {**body.get("generationConfig", {})}
    aliases = {field.alias for field in CONFIG.values()}
    for name in config:
        if name not in aliases or name in BESIDE:
            found.append(f"$.generationConfig: has no member {name!r}")
    typed = {
        "contents": list[types.Content],
        "systemInstruction": types.Content,
        "tools": list[types.Tool],
        "toolConfig": types.ToolConfig,
        "safetySettings": list[types.SafetySetting],
    }
    for name, kind in typed.items():
        if name in body:
            found += complaints(body[name], kind, f"$.{name}")
    for name, field in CONFIG.items():
        if field.alias in config and name not in ("response_schema", "speech_config"):
            found += complaints(config[field.alias], field.annotation, f"$.generationConfig.{field.alias}")
    if not body.get("contents"):
        found.append("$.contents: must hold a turn")
    found += turns(body.get("contents", [])) if line.get("order", True) else []
    # What the types refuse, the SDK's writer refuses as well, in worse words.
    return found or written_again(line, vertex)


def written_again(line, vertex):
    body, reply = line["body"], canned.Reply({"candidates": []})
    config = {**body.get("generationConfig", {}), **{name: body[name] for name in BESIDE if name in body}}
    try:
        (sdk_of_vertex if vertex else sdk)(reply).models.generate_content(model=line.get("model") or "m", contents=body["contents"], config=config)
    except Exception as error:  # the SDK's types and writer throw errors of many kinds
        return [f"the SDK refuses it: {first_line(error)}"]
    return differences(plain(body), plain(json.loads(reply.asked)))


def plain(value):
    """Without what says nothing: base64 dialects, an empty generationConfig, and the snake_case that the SDK itself sends
    for nested members, which the API takes too."""
    if isinstance(value, dict):
        return {camel(name): plain(one) for name, one in value.items() if not (name == "generationConfig" and one == {})}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str):
        return value.replace("-", "+").replace("_", "/").rstrip("=")
    return value


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest) if first else name


def differences(ours, theirs, path="$"):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{path}: the SDK would not send {name!r}" for name in ours if name not in theirs]
        found += [f"{path}: the SDK would send {name!r}" for name in theirs if name not in ours]
        return found + [line for name in ours if name in theirs for line in differences(ours[name], theirs[name], f"{path}.{name}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [line for place, pair in enumerate(zip(ours, theirs)) for line in differences(*pair, f"{path}[{place}]")]
    # Long numbers go as text (Google's JSON form of 64 bits), and enumerations in any case.
    same = ours == theirs or str(ours) == str(theirs) or (isinstance(ours, str) and isinstance(theirs, str) and ours.lower() == theirs.lower())
    return [] if same else [f"{path}: is {shown(ours)}, the SDK would send {shown(theirs)}"]


def turns(contents):
    """Roles alternate, every call is answered in the next turn, and no turn is empty."""
    found, calls, last, answered = [], [], None, False
    for place, turn in enumerate(contents if isinstance(contents, list) else []):
        parts, role = turn.get("parts") or [], turn.get("role")
        if role not in ("user", "model"):
            found.append(f"$.contents[{place}]: role is {shown(role)}")
        if place == 0 and role == "model":
            found.append("$.contents[0]: the first turn must be the user's")
        results = [part["functionResponse"].get("name") for part in parts if "functionResponse" in part]
        # Results have a turn of their own, so the user's next words come in a second one.
        if role == last and not results and not answered:
            found.append(f"$.contents[{place}]: a second turn of {role} in a row")
        if not parts:
            found.append(f"$.contents[{place}]: has no parts")
        if calls and results != calls:
            found.append(f"$.contents[{place}]: answers {results}, the calls before are {calls}")
        if results and not calls:
            found.append(f"$.contents[{place}]: answers {results}, nothing was called")
        calls = [part["functionCall"].get("name") for part in parts if "functionCall" in part]
        last, answered = role, bool(results)
        for at, part in enumerate(parts):
            kinds = set(part) - {"thought", "thoughtSignature", "mediaResolution", "videoMetadata", "partMetadata"}
            if len(kinds) > 1:
                found.append(f"$.contents[{place}].parts[{at}]: is several things at once: {sorted(kinds)}")
    return found


def answer(line):
    body = line["body"]
    found = complaints(body, types.GenerateContentResponse)
    try:
        types.GenerateContentResponse.model_validate(body)
        sdk(canned.Reply(body)).models.generate_content(model="m", contents="x")
    except Exception as error:  # whatever the SDK throws at what it should take is the verdict
        found.append(f"the SDK refuses it: {first_line(error)}")
    return found + story([body], failed=False)


def stream(line):
    raw = line["raw"]
    found = []
    if not isinstance(raw, str) or raw.lstrip().startswith("["):
        # The form without alt=sse: one JSON array, which the official SDKs never ask for.
        try:
            values = json.loads(raw) if isinstance(raw, str) else raw
        except ValueError as error:
            return [f"the array is no JSON: {error}"]
        replayed = None
    else:
        sent = canned.events(raw)
        values = canned.parsed(sent, found)
        found += [f"event {place}: has a name, {event.name!r}" for place, event in enumerate(sent) if event.name]
        replayed = raw
    if not values:
        return found + ["the stream is empty"]
    failed = isinstance(values[-1], dict) and "error" in values[-1]
    for place, value in enumerate(values[:-1] if failed else values):
        found += complaints(value, types.GenerateContentResponse, f"chunk {place}")
    if failed:
        found += complaint_of_error(values[-1])
    found += story(values[:-1] if failed else values, failed)
    return found + (replay(replayed, failed) if replayed is not None else [])


def story(chunks, failed):
    """The last word of every candidate has a finish reason, and nothing follows it; a blocked prompt has none."""
    found, finished, seen = [], set(), set()
    for place, chunk in enumerate(chunks):
        for candidate in chunk.get("candidates") or []:
            index = candidate.get("index", 0)
            seen.add(index)
            if index in finished and (candidate.get("content") or {}).get("parts"):
                found.append(f"chunk {place}: candidate {index} goes on after its finishReason")
            if candidate.get("finishReason"):
                finished.add(index)
    blocked = any((chunk.get("promptFeedback") or {}).get("blockReason") for chunk in chunks)
    if not failed and not blocked and (not seen or seen != finished):
        found.append(f"candidates {sorted(seen - finished) or 'none'} have no finishReason")
    return found


def replay(raw, failed):
    found = []
    try:
        client = sdk(canned.Reply(raw, kind="text/event-stream"))
        for _chunk in client.models.generate_content_stream(model="m", contents="x"):
            pass
        if failed:
            found.append("the SDK does not notice the error event")
    except errors.APIError as error:
        if not failed:
            found.append(f"the SDK stops with {first_line(error)}")
    except Exception as error:
        found.append(f"the SDK cannot read it: {type(error).__name__}: {first_line(error)}")
    return found


def complaint_of_error(body):
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return [f"an error body needs an object `error`, is {shown(body)}"]
    kinds = {"code": int, "message": str, "status": str}
    found = [f"error.{name} must be {kind.__name__}, is {shown(error.get(name))}" for name, kind in kinds.items() if not isinstance(error.get(name), kind)]
    return found + [f"error has no member {name!r}" for name in error if name not in (*kinds, "details")]


def error(line):
    found = complaint_of_error(line["body"])
    status = line.get("status") or (400 if found else line["body"]["error"]["code"])
    if not found and line["body"]["error"]["code"] != status:
        found.append(f"error.code is {line['body']['error']['code']}, the HTTP status {status}")
    try:
        sdk(canned.Reply(line["body"], status, line.get("headers"))).models.generate_content(model="m", contents="x")
    except errors.APIError as error:
        said = line["body"].get("error", {}) if isinstance(line["body"], dict) else {}
        if (error.code, error.status) != (said.get("code"), said.get("status")):
            found.append(f"the SDK sees code {error.code!r} and status {error.status!r}")
        return found
    except Exception as error:
        return found + [f"the SDK throws {type(error).__name__}: {first_line(error)}"]
    return found + ["the SDK does not notice the error"]


def first_line(error):
    return " ".join(str(error).split())[:300]
