"""Answers an SDK with bytes kept in memory, so that the SDK's own transport, framing and accumulation judge them."""

import json

import httpx2

# A piece length that divides no event: framing must not lean on where pieces end.
PIECE = 11


class Reply:
    """One answer of a provider: status, headers, and a body given as text or as JSON; keeps the body it was asked with."""

    def __init__(self, body, status=200, headers=None, kind=None):
        self.text = body if isinstance(body, str) else json.dumps(body)
        self.status = status
        self.headers = {"content-type": kind or "application/json", **(headers or {})}
        self.asked = None

    def pieces(self):
        data = self.text.encode()
        for start in range(0, len(data), PIECE):
            yield data[start : start + PIECE]


class Desk:
    """Makes an SDK's client once, and lets it be given one reply after another: making one costs more than judging."""

    def __init__(self, make, library=httpx2):
        self.reply = None
        self.sdk = make(library.Client(transport=library.MockTransport(self.answer)))
        self.library = library

    def __call__(self, reply):
        """The client, which gets `reply` to whatever it asks next."""
        self.reply = reply
        return self.sdk

    def answer(self, request):
        self.reply.asked = request.read()
        return self.library.Response(self.reply.status, headers=self.reply.headers, content=self.reply.pieces())


class Event:
    """One server-sent event: its name, or None, and its data as text."""

    def __init__(self, name, data):
        self.name, self.data = name, data


def events(text):
    """The events of a stream as the WHATWG text says; comments are left out."""
    found, name, data = [], None, []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line == "":
            if data:
                found.append(Event(name, "\n".join(data)))
            name, data = None, []
            continue
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
    if data or name:
        found.append(Event("unfinished", "\n".join(data)))
    return found


def parsed(found, complaints):
    """The JSON of each event; what is none is a complaint."""
    values = []
    for place, event in enumerate(found):
        try:
            values.append(json.loads(event.data))
        except ValueError:
            complaints.append(f"event {place}: data is no JSON: {event.data[:80]!r}")
    return values
