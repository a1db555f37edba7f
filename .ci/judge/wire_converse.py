"""Judges Bedrock Converse with botocore: the service's model, its validator, its serializer, and its SigV4 signer."""

import base64
import binascii
import datetime
import json
import re

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.loaders
import botocore.model
import botocore.serialize
import botocore.validate

from annotation import shown

MODEL = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")
CONVERSE = MODEL.operation_model("Converse")
CONVERSE_STREAM = MODEL.operation_model("ConverseStream")


def request(line):
    body = line["body"]
    if not isinstance(body, dict):
        return ["$: must be an object"]
    found = [f"$: the body holds {name!r}, which belongs in the path" for name in ("modelId", "model", "stream") if name in body]
    typed = native(body, CONVERSE.input_shape, "$", found)
    typed["modelId"] = line.get("model") or "m"
    report = botocore.validate.ParamValidator().validate(typed, CONVERSE.input_shape)
    if report.has_errors():
        found += report.generate_report().split("\n")
    if not found:
        written = botocore.serialize.create_serializer("rest-json").serialize_to_request(typed, CONVERSE)
        if json.loads(written["body"]) != body:
            found.append(f"botocore would send another body: {written['body'][:200]}")
    return found + (turns(body.get("messages", [])) if line.get("order", True) else [])


def native(value, shape, path, found):
    """JSON as botocore takes it (blobs are bytes), and what the model says that its validator does not look at."""
    if shape.type_name == "structure" and not shape.metadata.get("document") and isinstance(value, dict):
        known = shape.members
        found += [f"{path}: {shape.name} has no member {name!r}" for name in value if name not in known]
        return {name: native(one, known[name], f"{path}.{name}", found) for name, one in value.items() if name in known}
    if shape.type_name == "list" and isinstance(value, list):
        length(value, shape, path, found)
        return [native(one, shape.member, f"{path}[{place}]", found) for place, one in enumerate(value)]
    if shape.type_name == "map" and isinstance(value, dict):
        length(value, shape, path, found)
        return {name: native(one, shape.value, f"{path}.{name}", found) for name, one in value.items()}
    if shape.type_name == "blob":
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError):
            found.append(f"{path}: must be base64, is {shown(value)}")
            return b""
    if shape.type_name == "string" and isinstance(value, str):
        length(value, shape, path, found)
        if shape.enum and value not in shape.enum:
            found.append(f"{path}: {shown(value)} is none of {', '.join(shape.enum)}")
        pattern = shape.metadata.get("pattern")
        if pattern and not re.fullmatch(pattern, value, re.DOTALL):
            found.append(f"{path}: {shown(value)} does not fit {pattern}")
    if shape.type_name in ("integer", "long", "float", "double") and isinstance(value, (int, float)):
        maximum = shape.metadata.get("max")
        if maximum is not None and value > maximum:
            found.append(f"{path}: {value} is more than {maximum}")
    return value


def length(value, shape, path, found):
    maximum = shape.metadata.get("max")
    if maximum is not None and len(value) > maximum:
        found.append(f"{path}: is longer than {maximum}")


def turns(messages):
    """Roles alternate, every call is answered in the next turn, and no text is blank."""
    found, calls, last = [], [], None
    for place, message in enumerate(messages):
        content = message.get("content") or []
        results = [block["toolResult"].get("toolUseId") for block in content if "toolResult" in block]
        if message.get("role") == last:
            found.append(f"$.messages[{place}]: a second turn of {last} in a row")
        if place == 0 and message.get("role") != "user":
            found.append("$.messages[0]: the first turn must be the user's")
        if set(results) != set(calls) or len(results) != len(calls):
            found.append(f"$.messages[{place}]: answers {results}, the calls before are {calls}")
        if not content:
            found.append(f"$.messages[{place}]: has no content")
        found += [f"$.messages[{place}].content[{at}]: blank text" for at, one in enumerate(content) if "text" in one and not one["text"].strip()]
        calls, last = [block["toolUse"].get("toolUseId") for block in content if "toolUse" in block], message.get("role")
    if calls:
        found.append(f"$.messages: calls {calls} have no answer")
    return found


def answer(line):
    """Weir only reads these; what is judged is whether a fixture is what the service says it sends."""
    found = []
    typed = native(line["body"], CONVERSE.output_shape, "$", found)
    report = botocore.validate.ParamValidator().validate(typed, CONVERSE.output_shape)
    return found + (report.generate_report().split("\n") if report.has_errors() else [])


def stream(line):
    """The events of a fixture: `type` and `payload`, or `exception` and `payload`."""
    members = CONVERSE_STREAM.output_shape.members["stream"].members
    found = []
    for place, event in enumerate(line["events"]):
        name = event.get("type") or event.get("exception")
        if name not in members:
            found.append(f"event {place}: there is no event {name!r}")
            continue
        payload = {key: one for key, one in (event.get("payload") or {}).items() if key != "p"}
        typed = native(payload, members[name], f"event {place} {name}", found)
        report = botocore.validate.ParamValidator().validate(typed, members[name])
        found += report.generate_report().split("\n") if report.has_errors() else []
    return found


def error(line):
    body = line.get("body")
    if not isinstance(body, dict) or not isinstance(body.get("message", body.get("Message")), str):
        return [f"an error body needs the text `message`, is {shown(body)}"]
    return []
