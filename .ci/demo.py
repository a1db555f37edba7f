"""Starts a mock for each provider of a policy on 127.0.0.1, Envoy with Weir, and sends sample requests through them.
Shows for each what was asked and what became of it, and holds that against what must. Ends everything it started.

    demo.py [--stay]
"""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIR = pathlib.Path(os.environ.get("WEIR_PROGRAM", ROOT / "target/release/weir"))
MODULE = pathlib.Path(os.environ.get("WEIR_WASM", ROOT / "target/weir.wasm"))
ENVOY = pathlib.Path(os.environ.get("WEIR_ENVOY", ROOT / ".tools/bin/envoy"))
QUICK_START = ROOT / "envoy/policy.yaml"
POLICY = pathlib.Path(os.environ.get("WEIR_POLICY", QUICK_START))
PORT = int(os.environ.get("WEIR_PORT", "10000"))
ADMIN_PORT = int(os.environ.get("WEIR_ADMIN_PORT", "9901"))
WORK = pathlib.Path(os.environ.get("WEIR_WORK", ROOT / "target/demo"))
AUDIT = WORK / "audit.jsonl"
TARGET = "make run" if "--stay" in sys.argv else "make demo"

# The two public keys of the quick-start policy.
KEY, KEY_EUROPE = "weir-demo-key", "weir-demo-key-europe"

# What is asked, and what must become of it. `client` is the API that the client speaks, `more` goes into its body, `fault` is
# what a provider's mock does wrong, once.
SAMPLES = [
    {
        "title": "A model by its provider's name",
        "model": "openai/gpt-5.4-mini",
        "expect": {"status": 200, "provider": "openai", "attempts": [200], "lost": None},
    },
    {
        "title": "The same, streamed: usage is counted though the client did not ask for it",
        "model": "openai/gpt-5.4-mini",
        "stream": True,
        "expect": {"status": 200, "provider": "openai", "attempts": [200]},
    },
    {
        "title": "The cheapest model that may serve this request",
        "model": "auto",
        "expect": {"status": 200, "provider": "gemini", "attempts": [200], "route": "auto", "lost": None},
    },
    {
        "title": "OpenAI answers 429: Claude takes over, with its own path, key, model name and API",
        "model": "fast",
        "fault": {"provider": "openai", "status": 429},
        "expect": {"status": 200, "provider": "claude", "attempts": [429, 200]},
    },
    {
        "title": "OpenAI resets the connection before a stream begins: the stream is Claude's, in OpenAI's form",
        "model": "fast",
        "stream": True,
        "fault": {"provider": "openai", "reset": True},
        "expect": {"status": 200, "provider": "claude", "attempts": [None, 200]},
    },
    {
        "title": "A stream whose status is 200 and whose first event is an error fails over as well",
        "model": "fast",
        "stream": True,
        "fault": {"provider": "openai", "error_event_after": 0},
        "expect": {"status": 200, "provider": "claude", "attempts": [500, 200]},
    },
    {
        "title": "An Anthropic client is answered by OpenAI, and told what OpenAI has no word for",
        "client": "anthropic",
        "model": "openai/gpt-5.4-mini",
        "more": {"top_k": 40, "cache_control": {"type": "ephemeral"}},
        "expect": {"status": 200, "provider": "openai", "attempts": [200], "lost": "top_k,cache_control"},
    },
    {
        "title": "The same for a model with three targets: the one that loses nothing goes first (`on_loss: avoid`)",
        "client": "anthropic",
        "model": "fast",
        "more": {"top_k": 40, "cache_control": {"type": "ephemeral"}},
        "expect": {"status": 200, "provider": "claude", "attempts": [200], "lost": None},
    },
    {
        "title": "A Gemini client is answered by Claude, streamed",
        "client": "gemini",
        "model": "claude-haiku-4-5",
        "stream": True,
        "expect": {"status": 200, "provider": "claude", "attempts": [200], "lost": None},
    },
    {
        "title": "An OpenAI client is answered by Gemini, and told what Gemini has no word for",
        "model": "gemini-2.5-flash",
        "more": {"logit_bias": {"50256": -100}},
        "expect": {"status": 200, "provider": "gemini", "attempts": [200], "lost": "logit_bias"},
    },
    {
        "title": "A team that must stay in the EU asks for the same model",
        "model": "fast",
        "key": KEY_EUROPE,
        "expect": {"status": 200, "provider": "gemini", "attempts": [200], "route": "europe"},
    },
    {
        "title": "The same team names a provider outside the EU",
        "model": "openai/gpt-5.4-mini",
        "key": KEY_EUROPE,
        "expect": {"status": 422, "code": "no_eligible_target", "attempts": [], "route": "europe"},
    },
    {
        "title": "A model that the team may not use",
        "model": "smart",
        "expect": {"status": 403, "code": "model_not_allowed", "attempts": [], "route": None},
    },
    {
        "title": "A key that nobody knows",
        "model": "fast",
        "key": "weir-wrong-key",
        "expect": {"status": 401, "code": "unauthenticated", "attempts": [], "route": None},
    },
    {
        "title": "A model that nobody serves",
        "model": "gpt-5.4-minni",
        "expect": {"status": 404, "code": "unknown_model", "attempts": [], "route": None},
    },
    {
        "title": "A dry run: the decision, and nobody is called",
        "model": "auto",
        "headers": {"x-weir-dry-run": "1"},
        "expect": {"status": 200, "attempts": [], "route": "auto"},
    },
]


def fail(message):
    sys.exit(f"error: {message}")


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def require_free(port, variable):
    if not is_free(port):
        fail(f"port {port} is taken by another program; choose one: {variable}={free_port()} {TARGET}")


class Provider:
    """A provider of the policy that is on 127.0.0.1: its name, its port, and the keys it may be called with."""

    def __init__(self, name, port, keys):
        self.name, self.port, self.keys = name, port, keys

    def strike(self, fault):
        """Makes its mock do something wrong once."""
        body = json.dumps({"times": 1, **{name: value for name, value in fault.items() if name != "provider"}})
        status, _, text = exchange(self.port, "POST", "/_mock/faults", body, {})
        if status != 200:
            fail(f"the mock {self.name} does not take a fault: {text}")


def read_policy():
    """The policy's text with a free port for each mock, and its providers. A port that is free stays.

    Why no YAML parser: Python has none of its own, and this needs only names, ports and keys; `weir` reads the rest.
    """
    if not POLICY.exists():
        fail(f"there is no policy at {POLICY}; name one: WEIR_POLICY=FILE {TARGET}")
    text = POLICY.read_text()
    providers = []
    for name, block in re.findall(r"^  ([\w.-]+):(.*(?:\n(?:    .*| *#.*|))*)", text, re.MULTILINE):
        variables = re.findall(r"\$\{(\w+)\}", block)
        local = re.search(r"http://127\.0\.0\.1:(\d+)", block)
        if local is None:
            for variable in variables:
                if variable not in os.environ:
                    fail(f"{POLICY} reads the key of {name} from {variable}, which is not set")
            continue
        # A real key that happens to be in the environment has no business with a mock.
        keys = [f"demo-{variable.lower()}" for variable in variables]
        os.environ.update(zip(variables, keys))
        port = int(local[1])
        if not is_free(port):
            port = free_port()
            print(f"note: port {local[1]} of the policy is taken; this run uses {port}", file=sys.stderr)
            text = re.sub(rf"(//127\.0\.0\.1):{local[1]}\b", rf"\1:{port}", text)
        providers.append(Provider(name, port, keys))
    if not providers:
        fail(f"{POLICY} has no provider on 127.0.0.1, so a mock would answer nobody")
    return text, providers


class Processes:
    """The programs of a run; leaving the block ends them, whatever happened in it."""

    def __init__(self):
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.terminate()
        for process in reversed(self.running):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start_listening(self, name, command, port, output=None):
        """Starts a program and waits until it listens. Its standard output goes to its log, or to a file of its own."""
        log = WORK / f"{name}.log"
        # A group of its own, so that Ctrl-C reaches this program alone, which then ends the others in order.
        with open(log, "wb") as errors, open(output or log, "wb") as said:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdout=said if output else errors,
                stderr=errors,
                cwd=ROOT,
                start_new_session=True,
            )
        self.running.append(process)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if process.poll() is not None:
                fail(f"{name} ended at once; its last words:\n" + tail(log))
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        fail(f"{name} does not listen on port {port}; see {log}")

    def dead(self):
        """A program that has ended on its own, if one has."""
        return next((process for process in self.running if process.poll() is not None), None)


def tail(log, lines=12):
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def exchange(port, method, path, body, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, {"content-type": "application/json", **headers})
    response = connection.getresponse()
    text = response.read().decode(errors="replace")
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, text


def send(sample):
    """Asks as the sample's client would. Gives the status, headers and body of the answer."""
    client, stream, key = sample.get("client", "openai"), sample.get("stream", False), sample.get("key", KEY)
    model, text = sample["model"], "Name a river."
    if client == "gemini":
        path = f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if stream else "generateContent")
        credential = {"x-goog-api-key": key}
        body = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    else:
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        if stream:
            body["stream"] = True
        if client == "anthropic":
            path, credential = "/v1/messages", {"x-api-key": key, "anthropic-version": "2023-06-01"}
            body["max_tokens"] = 100
        else:
            path, credential = "/v1/chat/completions", {"authorization": f"Bearer {key}"}
    body.update(sample.get("more", {}))
    return exchange(PORT, "POST", path, json.dumps(body), {**credential, **sample.get("headers", {})})


# What the first line of an answer in each client's own API holds, whole and streamed.
SHAPES = {
    ("openai", False): '"object":"chat.completion"',
    ("openai", True): '"object":"chat.completion.chunk"',
    ("anthropic", False): '"type":"message"',
    ("anthropic", True): "event: message_start",
    ("gemini", False): '"candidates":',
    ("gemini", True): '"candidates":',
}


def audit_of(decision):
    """The audit line of a decision; Envoy writes it when the request is over, a moment after its answer."""
    deadline = time.monotonic() + 5
    while decision and time.monotonic() < deadline:
        # The last piece is the beginning of a line that is still being written, or empty.
        for line in AUDIT.read_text().split("\n")[:-1]:
            if decision in line:
                return json.loads(line)
        time.sleep(0.02)
    return None


def dollars(micros):
    return "cost unknown" if micros is None else f"${micros / 1e6:.6f}"


def outcome(audit, text):
    """What became of a request, in one line or two."""
    if audit["code"]:
        return f"{audit['status']} {audit['code']}: {json.loads(text)['error']['message']}"
    if not audit["attempts"]:
        decision = json.loads(text)
        ranked = [f"{one['target']} {dollars(one['expected_cost_microusd'])}" for one in decision["candidates"]]
        rejected = [f"{one['target']} ({one['reason']})" for one in decision["rejected"]]
        return "\n           ".join(
            [f"{audit['status']} would try " + ", ".join(ranked)] + (["would not try " + ", ".join(rejected)] if rejected else [])
        )
    tries = " -> ".join(f"{one['provider']}/{one['model']} {one['status'] or 'no answer'}" for one in audit["attempts"])
    lost = f"; lost in translation: {audit['lost']}" if audit.get("lost") else ""
    tokens = f"{audit['input']} tokens in, {audit['output']} out, {audit['usage']}"
    return f"{audit['status']} {tries}; {tokens}; {dollars(audit['cost_microusd'])}{lost}"


def wrong(expect, status, headers, audit):
    """What is not as it must be."""
    found = {
        "status": status,
        "provider": headers.get("x-weir-provider"),
        "attempts": [one["status"] for one in audit["attempts"]],
        "code": audit["code"],
        "route": audit["route"],
        "lost": headers.get("x-weir-lost"),
    }
    return [f"{name} is {found[name]!r}, must be {must!r}" for name, must in expect.items() if found[name] != must]


def show(number, sample, providers):
    fault = sample.get("fault")
    if fault:
        next(provider for provider in providers if provider.name == fault["provider"]).strike(fault)
    status, headers, text = send(sample)
    audit = audit_of(headers.get("x-weir-decision"))
    print(f"\n{number}. {sample['title']}")
    if audit is None:
        print(f"   {status} {text[:200]}\nerror: no audit line in {AUDIT}")
        return False
    client = sample.get("client", "openai")
    asked = sample["model"] + (", stream" if sample.get("stream") else "")
    who = f"team {audit['team']}" if audit["team"] else "nobody known"
    if client != "openai":
        who += f", in {client.capitalize()}'s API"
    route = f", route {audit['route']}" if audit["route"] else ""
    print(f"   asked   {asked}, by {who}{route}; decision {audit['id']}")
    print(f"   answer  {outcome(audit, text)}")
    faults = wrong(sample["expect"], status, headers, audit)
    if audit["attempts"] and (audit["usage"] != "reported" or not audit["cost_microusd"]):
        faults.append(f"usage is {audit['usage']}, cost {audit['cost_microusd']}: both must be known")
    shape = SHAPES[client, sample.get("stream", False)]
    if audit["attempts"] and shape not in text:
        faults.append(f"the answer is not in the client's form, {shape} is not in it: {text[:200]}")
    for one in faults:
        print(f"error: sample {number}: {one}", file=sys.stderr)
    return not faults


def render(text):
    """Envoy's configuration for the policy as this run has it."""
    policy, config = WORK / f"policy{POLICY.suffix}", WORK / "envoy.yaml"
    policy.write_text(text)
    command = [WEIR, "render", "envoy", policy, "--listen", f"127.0.0.1:{PORT}", "--admin", f"127.0.0.1:{ADMIN_PORT}"]
    if subprocess.run([*command, "--wasm", MODULE, "-o", config], cwd=ROOT).returncode != 0:
        fail(f"Weir does not take {POLICY}; mend what is listed above")
    return config


def stay(processes):
    if POLICY.resolve() == QUICK_START:
        print(f"""
It is up. Ask it yourself, from another terminal, in any of the APIs:

  curl localhost:{PORT}/v1/chat/completions -H 'authorization: Bearer {KEY}' \\
    -d '{{"model": "claude-haiku-4-5", "messages": [{{"role": "user", "content": "Name a river."}}]}}'
  curl localhost:{PORT}/v1/responses -H 'authorization: Bearer {KEY}' \\
    -d '{{"model": "auto", "input": "Name a river."}}'
  curl localhost:{PORT}/v1/messages -H 'x-api-key: {KEY}' -H 'anthropic-version: 2023-06-01' \\
    -d '{{"model": "gemini-2.5-flash", "max_tokens": 100, "messages": [{{"role": "user", "content": "Name a river."}}]}}'
  curl localhost:{PORT}/v1beta/models/fast:generateContent -H 'x-goog-api-key: {KEY}' \\
    -d '{{"contents": [{{"role": "user", "parts": [{{"text": "Name a river."}}]}}]}}'
  curl localhost:{PORT}/v1/models -H 'authorization: Bearer {KEY}'
""")
    else:
        print(f"\nIt is up: localhost:{PORT}/v1/chat/completions takes your own requests.")
    print(f"""Metrics: curl -s localhost:{ADMIN_PORT}/stats/prometheus | grep -E '^(weir|gen_ai)_'
Ctrl-C ends it.""")
    while processes.dead() is None:
        time.sleep(0.5)
    fail(f"{processes.dead().args[0]} ended on its own; logs are in {WORK}")


def main(stays):
    for needed, target in [(WEIR, "make build"), (MODULE, "make build"), (ENVOY, "make setup")]:
        if not needed.exists():
            fail(f"{needed} is missing; make it: {target}")
    WORK.mkdir(parents=True, exist_ok=True)
    require_free(PORT, "WEIR_PORT")
    require_free(ADMIN_PORT, "WEIR_ADMIN_PORT")
    text, providers = read_policy()
    config = render(text)
    passed = []
    with Processes() as processes:
        for provider in providers:
            command = [WEIR, "mock", "--listen", f"{provider.name}@127.0.0.1:{provider.port}"]
            # A mock refuses every key but its own provider's: one that met another's would answer 401.
            for key in provider.keys:
                command += ["--require-key", key]
            processes.start_listening(f"mock-{provider.name}", command, provider.port)
        command = [ENVOY, "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
        # Envoy would gather audit lines for 10 s; here somebody waits for them.
        command += ["--component-log-level", "wasm:info", "--file-flush-interval-msec", "20"]
        processes.start_listening("envoy", command, PORT, output=AUDIT)
        names = ", ".join(f"{provider.name} {provider.port}" for provider in providers)
        logs = WORK.relative_to(ROOT) if ROOT in WORK.parents else WORK
        print(f"Envoy with Weir listens on 127.0.0.1:{PORT}; mock providers: {names}; logs: {logs}")
        if POLICY.resolve() == QUICK_START:
            passed = [show(number, sample, providers) for number, sample in enumerate(SAMPLES, 1)]
            print(f"\n{sum(passed)} of {len(passed)} samples did what they should")
        else:
            print("the samples belong to the quick-start policy and are left out")
        if stays and all(passed):
            stay(processes)
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    # Also where the caller had Ctrl-C ignored, as a shell does for what it starts in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        main("--stay" in sys.argv[1:])
    except KeyboardInterrupt:
        print("\nended")
