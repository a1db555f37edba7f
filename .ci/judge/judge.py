"""Holds what Weir writes against the vendors' own SDKs, and says what they would refuse.

    judge.py DIR           DIR/*.jsonl: bodies that the tests wrote (see `read`)
    judge.py --fixtures D  D/<wire>/{requests,answers,streams,errors}.jsonl: the fixtures themselves
    judge.py --selftest    planted faults: each must be refused, and each sound body accepted
    judge.py --sigv4 FILE  signatures that Weir made, against botocore's signer

Several may be given at once. Ends with a `test result:` line; exit status 1 when anything was refused.

A line is `{"kind": "request" | "answer" | "stream" | "error", "wire": "chat" | …, "name", "body"}`, with "raw" in place of
"body" for a stream; also "model", "vertex" (the Vertex dialect), "status" and "headers" of an error, and `"order": false`
for a request whose source breaks the order of calls and results itself, which Weir does not mend.
"""

import argparse
import json
import logging
import pathlib
import sys
import warnings

import planted
import sigv4
import wire_chat
import wire_cohere
import wire_converse
import wire_gemini
import wire_messages
import wire_responses

WIRES = {
    "chat": wire_chat,
    "responses": wire_responses,
    "messages": wire_messages,
    "gemini": wire_gemini,
    "converse": wire_converse,
    "cohere": wire_cohere,
}

KINDS = {"requests": "request", "answers": "answer", "streams": "stream", "errors": "error"}


ODD = pathlib.Path(__file__).with_name("odd_fixtures.txt")


class Count:
    """What was judged: how many passed, and how many lines of complaint to print at most for each that did not."""

    SHOWN = 6

    def __init__(self):
        self.passed = self.failed = 0

    def add(self, title, found):
        if not found:
            self.passed += 1
            return
        self.failed += 1
        print(f"refused: {title}")
        for one in found[: self.SHOWN]:
            print(f"    {one}")
        if len(found) > self.SHOWN:
            print(f"    and {len(found) - self.SHOWN} more")


def judge(line):
    """What the vendor's SDK has against a line."""
    wire = WIRES.get(line.get("wire"))
    if wire is None or line.get("kind") not in KINDS.values():
        return [f"a line of unknown kind: {line.get('kind')!r} for {line.get('wire')!r}"]
    if line["kind"] == "error" and "body" not in line:
        return []  # plain text from a front proxy: there is no model to hold it against
    try:
        return getattr(wire, line["kind"])(line)
    except Exception as error:  # a body so wrong that reading it fails is refused, not the end of the run
        return [f"it cannot be read: {type(error).__name__}: {error}"]


def read(path):
    # Not splitlines(): JSON text may hold other line ends than \n.
    for number, text in enumerate(path.read_text().split("\n"), 1):
        if text.strip():
            line = json.loads(text)
            yield {"name": f"{path.name}:{number}", **line}


def written(folder, count):
    """What the tests wrote; nothing there would be a judge without a case, so it counts as a failure."""
    files = sorted(folder.glob("*.jsonl"))
    lines = [line for path in files for line in read(path)]
    if not lines:
        count.add(f"{folder}", ["there is nothing to judge; `cargo test --test codec_cross` writes it"])
    odd = odd_ones()
    for line in lines:
        source, _, rest = line["name"].partition("/")
        name = rest.partition(" -> ")[0]
        if any(f"{source}/{kind}: {name}" in odd for kind in ("requests", "answers")):
            if source == line["wire"]:
                continue  # what its own family wrote oddly is written again; in Envoy the bytes would pass untouched
            line = {**line, "order": False}
        count.add(f"{line.get('kind')} {line.get('wire')}: {line['name']}", judge(line))


def fixtures(folder, count):
    """The fixtures are held against the SDK of their own family: a wrong one would prove nothing. Some are wrong on purpose,
    to show what Weir does with what no vendor should send; odd_fixtures.txt names them. Errors are not judged: front
    proxies and compatible vendors send what they like."""
    odd, seen = odd_ones(), set()
    files = [path for path in sorted(folder.glob("*/*.jsonl")) if path.stem in KINDS and path.parent.name in WIRES]
    if not files:
        count.add(f"{folder}", ["there are no fixtures"])
    for path in files:
        for line in read(path) if path.stem != "errors" else ():
            line = {**line, "kind": KINDS[path.stem], "wire": path.parent.name, "fixture": True}
            if "events" in line and line["wire"] != "converse":
                line["raw"] = sse(line["events"])
            title, found = f"{line['wire']}/{path.stem}: {line['name']}", judge(line)
            seen.add(title)
            if title in odd:
                found = [] if found else [f"nothing is odd about it; take it out of {ODD.name}"]
            count.add(f"fixture {title}", found)
    for title in sorted(odd - seen) if files else ():
        count.add(f"fixture {title}", [f"there is none; take it out of {ODD.name}"])


def odd_ones():
    return {line for line in ODD.read_text().splitlines() if line and not line.startswith("#")}


def sse(events):
    """The text of a stream that a fixture gives event by event."""
    text = ""
    for event in events:
        if "comment" in event:
            text += f": {event['comment']}\n\n"
            continue
        data = event["data"] if isinstance(event["data"], str) else json.dumps(event["data"])
        text += (f"event: {event['event']}\n" if "event" in event else "") + f"data: {data}\n\n"
    return text


def selftest(count):
    """A judge that refuses nothing is none."""
    for line in planted.sound():
        count.add(f"sound {line['kind']} {line['wire']}: {line['name']}", judge(line))
    for line in planted.faulty():
        found = judge(line)
        missing = [] if any(line["must"] in one for one in found) else [f"was not refused for {line['must']!r}; said: {found[:3]}"]
        count.add(f"planted {line['kind']} {line['wire']}: {line['name']}", missing)


def main():
    # The SDKs warn about their own deprecations and extra keys; the verdict is in what is printed here.
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", nargs="*", type=pathlib.Path)
    options.add_argument("--fixtures", action="append", default=[], type=pathlib.Path)
    options.add_argument("--sigv4", action="append", default=[], type=pathlib.Path)
    options.add_argument("--selftest", action="store_true")
    given = options.parse_args()
    count = Count()
    if given.selftest:
        selftest(count)
    for folder in given.fixtures:
        fixtures(folder, count)
    for path in given.sigv4:
        for line in read(path):
            count.add(f"sigv4: {line['name']}", sigv4.complaints(line))
    for folder in given.folder:
        written(folder, count)
    verdict = "FAILED" if count.failed else "ok"
    print(f"test result: {verdict}. {count.passed} passed; {count.failed} failed")
    sys.exit(1 if count.failed else 0)


if __name__ == "__main__":
    main()
