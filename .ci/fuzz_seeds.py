#!/usr/bin/env python3
"""Makes the corpora and the dictionary that fuzzing begins with, of the tests' fixtures: fuzz_seeds.py FOLDER.

FOLDER gets seeds/TARGET/* and words.dict. What the first bytes of a seed mean is said in fuzz/src/check.
"""

import json
import pathlib
import struct
import sys
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
CLIENTS = ["chat", "responses", "messages", "gemini"]
WIRES = ["chat", "responses", "messages", "gemini", "converse", "cohere"]
PATHS = {"chat": 0, "responses": 1, "messages": 2, "gemini": 3}


class Seeds:
    def __init__(self, folder):
        self.folder = folder
        self.count = {}

    def add(self, target, data):
        number = self.count.get(target, 0)
        self.count[target] = number + 1
        place = self.folder / "seeds" / target
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:04}").write_bytes(data)


def fixtures(wire, kind):
    path = FIXTURES / "wire" / wire / f"{kind}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().split("\n") if line.strip()]


def text(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def body_of(fixture):
    body = fixture.get("body", fixture.get("text", ""))
    return body.encode() if isinstance(body, str) else text(body)


def sse(fixture):
    out = b""
    for event in fixture["events"]:
        if "comment" in event:
            out += f": {event['comment']}\n\n".encode()
            continue
        if event.get("event"):
            out += f"event: {event['event']}\n".encode()
        data = event["data"]
        out += b"data: " + (data.encode() if isinstance(data, str) else text(data)) + b"\n\n"
    return out


def lines(fixture):
    out = b""
    for event in fixture["events"]:
        name = event["type"] if "type" in event else "!" + event["exception"]
        out += name.encode() + b" " + text(event["payload"]) + b"\n"
    return out


def frames(fixture):
    out = b""
    for event in fixture["events"]:
        kind, header, name = (
            ("event", ":event-type", event["type"]) if "type" in event
            else ("exception", ":exception-type", event["exception"])
        )
        head = b""
        for key, value in ((header, name), (":content-type", "application/json"), (":message-type", kind)):
            head += bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        payload = text(event["payload"])
        frame = struct.pack(">II", len(head) + len(payload) + 16, len(head))
        frame += struct.pack(">I", zlib.crc32(frame)) + head + payload
        out += frame + struct.pack(">I", zlib.crc32(frame))
    return out


def plan(path, kind, flags, request, answer):
    return bytes([path, 0, kind, 7, flags, 0]) + struct.pack(">H", len(request)) + bytes(12) + request + answer


def exchanges(seeds):
    """Each request with an answer and a stream of each provider's, by the models of the check's policy."""
    names = dict(zip(WIRES, ["to-chat", "to-responses", "to-claude", "any", "to-bedrock", "to-cohere"]))
    for wire in CLIENTS:
        for number, fixture in enumerate(fixtures(wire, "requests")):
            to = WIRES[number % len(WIRES)]
            body = dict(fixture["body"])
            if wire != "gemini":
                body["model"] = names[to]
            stream = fixtures(to, "streams")[number % 10]
            answer = text(fixtures(to, "answers")[number % 10]["body"])
            seeds.add("exchange", plan(PATHS[wire], 0, 0, text(body), answer))
            body["stream"] = True
            path = 4 if wire == "gemini" else PATHS[wire]
            if wire == "gemini":
                del body["stream"]
            if to == "converse":
                seeds.add("exchange", plan(path, 2, 16, text(body), lines(stream)))
            else:
                seeds.add("exchange", plan(path, 1, 0, text(body), sse(stream)))
    for request, path in ((b'{"model":"to-chat","input":["a"]}', 6), (b'{"model":"to-cohere","input":"a","encoding_format":"base64"}', 6)):
        seeds.add("exchange", plan(path, 0, 0, request, b'{"embeddings":{"float":[[0.5,1]]},"data":[{"index":0,"embedding":[0.5]}]}'))


def messages(seeds):
    for number, wire in enumerate(CLIENTS):
        for index, fixture in enumerate(fixtures(wire, "requests")):
            body = text(fixture["body"])
            seeds.add("request", bytes([number + 4 * (index % 64)]) + body)
            if wire in ("chat", "messages"):
                seeds.add("rewrite", bytes([index % 256]) + body)
            if wire in ("chat", "responses"):
                seeds.add("head", body)
    for number, wire in enumerate(WIRES):
        for index, fixture in enumerate(fixtures(wire, "answers")):
            seeds.add("answer", bytes([number, index % 8]) + text(fixture["body"]))
            seeds.add("sse", bytes([index % 256]) + text(fixture["body"]))
        for fixture in fixtures(wire, "errors"):
            value = next(iter(fixture.get("headers", {}).values()), "7").encode()[:200]
            status = struct.pack(">H", max(fixture["status"], 300) - 300)
            seeds.add("failure", bytes([number]) + status + bytes([len(value)]) + value + body_of(fixture))
        for index, fixture in enumerate(fixtures(wire, "streams")):
            whole = lines(fixture) if wire == "converse" else sse(fixture)
            for to in range(len(CLIENTS)):
                seeds.add("stream", bytes([number, to, 2 * (index % 5), (index + to) % 8]) + whole)
            if wire == "converse":
                seeds.add("stream", bytes([number, index % 4, 1, 0]) + frames(fixture))
                seeds.add("event_stream", bytes([index % 256]) + frames(fixture))
            elif index % 3 == 0:
                seeds.add("sse", bytes([index]) + whole)


def others(seeds):
    for path in sorted((FIXTURES / "policy").glob("*.json")):
        seeds.add("policy", path.read_bytes())
    for path in sorted((FIXTURES / "openai").glob("*/*.json")):
        seeds.add("head", path.read_bytes())
        seeds.add("rewrite", b"\0" + path.read_bytes())
        if "embeddings" in path.name:
            seeds.add("embedding", b"\0" + path.read_bytes())
    for number, body in enumerate([
        b'{"model":"m","input":["a",{"text":"b"}],"dimensions":8,"encoding_format":"base64","user":"u"}',
        b'{"model":"m","input":[[1,2],[3]],"input_type":"query"}',
        b'{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","title":"t"}]}',
        b'{"content":{"parts":[{"text":"a"}]},"outputDimensionality":8}',
        b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]},{"index":1,"embedding":"AACAPwAAAEA="}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}',
        b'{"embeddings":[{"values":[0.1,1]}],"embedding":{"values":[1]},"predictions":[{"embeddings":{"values":[1],"statistics":{"token_count":3}}}]}',
        b'{"id":"x","embeddings":{"float":[[0.1],[1]]},"texts":["a"],"meta":{"billed_units":{"input_tokens":3}}}',
    ]):
        seeds.add("embedding", bytes([number]) + body)


def words(folder):
    """Every member name and every short value of the fixtures: a fuzzer puts them in."""
    found = set()

    def walk(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                found.add(f'"{key}":')
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
        elif isinstance(value, str) and 0 < len(value) <= 24:
            found.add(f'"{value}"')

    for path in sorted(FIXTURES.rglob("*.json*")):
        for line in path.read_text().split("\n") if path.suffix == ".jsonl" else [path.read_text()]:
            try:
                walk(json.loads(line))
            except ValueError:
                pass
    found.update(["null", "true", "false", "{}", "[]", "1e999", "-1", "18446744073709551616", '"\\ud800"', '"\\u0000"', "data: ", "event: ", "\n\n", "[DONE]"])
    with open(folder / "words.dict", "w", encoding="ascii") as out:
        for word in sorted(found):
            shown = "".join(
                chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word.encode(errors="replace")
            )
            if len(word) <= 60:
                out.write(f'"{shown}"\n')


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    seeds = Seeds(folder)
    messages(seeds)
    exchanges(seeds)
    others(seeds)
    words(folder)
    print(" ".join(f"{target}:{count}" for target, count in sorted(seeds.count.items())))


main()
