"""Starts a mock for each provider of a policy on 127.0.0.1, Envoy with Weir, and sends sample requests through them.
Shows for each the curl command, the decision, provider, tokens and cost. Ends everything it started.

    demo.py [--stay]
"""

import http.client
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIR = ROOT / "target/release/weir"
ENVOY = pathlib.Path(os.environ.get("WEIR_ENVOY", ROOT / ".tools/bin/envoy"))
POLICY = pathlib.Path(os.environ.get("WEIR_POLICY", ROOT / "envoy/policy.yaml"))
PORT = int(os.environ.get("WEIR_PORT", "10000"))
ADMIN_PORT = int(os.environ.get("WEIR_ADMIN_PORT", "9901"))
WORK = ROOT / "target/demo"
AUDIT = "weir.audit "


def ask(model, text, **more):
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


# What is sent: a title, the body, and headers beyond the key. Every one must be answered with its `expect`.
SAMPLES = [
    {"title": "a model of the catalogue by its name", "body": ask("openai/gpt-5-mini", "Name a river."), "expect": 200},
    {"title": "the same, streamed", "body": ask("openai/gpt-5-mini", "Name a river.", stream=True), "expect": 200},
    {"title": "a model that nobody serves", "body": ask("gpt-0", "Name a river."), "expect": 404},
]
# The key that the quick-start policy knows by its hash.
KEY = os.environ.get("WEIR_KEY", "")


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
        fail(f"port {port} is taken by another program; choose one: {variable}={free_port()} make demo")


def policy_with_free_ports():
    """The policy's text with a free port for each mock, and the ports. A port that is free stays."""
    if not POLICY.exists():
        fail(f"there is no policy at {POLICY}; name one: WEIR_POLICY=FILE make demo")
    text = POLICY.read_text()
    ports = []
    for written in dict.fromkeys(re.findall(r"https?://127\.0\.0\.1:(\d+)", text)):
        port = written
        if not is_free(int(written)):
            port = str(free_port())
            print(f"port {written} of the policy is taken; this run uses {port}")
            text = re.sub(rf"(//127\.0\.0\.1):{written}\b", rf"\1:{port}", text)
        ports.append(port)
    if not ports:
        fail(f"{POLICY} has no provider on 127.0.0.1, so a mock would answer nobody")
    return text, ports


def set_missing_keys(text):
    """Gives each ${NAME} of the policy a value that a mock takes, unless the environment has one."""
    for name in re.findall(r"\$\{(\w+)\}", text):
        os.environ.setdefault(name, f"demo-{name.lower()}")


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

    def start(self, name, command):
        log = WORK / f"{name}.log"
        # A group of its own, so that Ctrl-C reaches this program alone, which then ends the others in order.
        with open(log, "wb") as output:
            process = subprocess.Popen(
                [str(word) for word in command], stdout=output, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True
            )
        self.running.append(process)
        return process, log

    def start_listening(self, name, command, port):
        process, log = self.start(name, command)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if process.poll() is not None:
                fail(f"{name} ended at once; its last words:\n" + tail(log))
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                    return log
            time.sleep(0.05)
        fail(f"{name} does not listen on port {port}; see {log}")


def tail(log, lines=12):
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def send(sample):
    headers = {"content-type": "application/json", **sample.get("headers", {})}
    if KEY:
        headers["authorization"] = f"Bearer {KEY}"
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request("POST", sample.get("path", "/v1/chat/completions"), json.dumps(sample["body"]), headers)
    response = connection.getresponse()
    text = response.read().decode(errors="replace")
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, text


def curl(sample):
    words = ["curl", f"localhost:{PORT}{sample.get('path', '/v1/chat/completions')}", "-H", "content-type: application/json"]
    for name, value in sample.get("headers", {}).items():
        words += ["-H", f"{name}: {value}"]
    if KEY:
        words += ["-H", f"authorization: Bearer {KEY}"]
    return shlex.join(words + ["-d", json.dumps(sample["body"])])


def audit_of(log, decision):
    """The audit line of a decision; Envoy writes it when the request is over, a moment after its answer."""
    deadline = time.monotonic() + 5
    while decision and time.monotonic() < deadline:
        for line in reversed(log.read_text(errors="replace").splitlines()):
            if AUDIT in line and decision in line:
                return json.loads(line.split(AUDIT, 1)[1])
        time.sleep(0.05)
    return None


def answer(text):
    """What the model said, from a body or from the events of a stream."""
    try:
        body = json.loads(text)
        if "error" in body:
            return body["error"]["message"]
        return body["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        pieces = re.findall(r'"content":("(?:[^"\\]|\\.)*")', text)
        return "".join(json.loads(piece) for piece in pieces) or text


def show(number, sample, log):
    status, headers, text = send(sample)
    print(f"\n{number}. {sample['title']}\n   $ {curl(sample)}")
    print(f"   {status}: {' '.join(answer(text).split())[:100]}")
    decision = {name: value for name, value in headers.items() if name.startswith("x-weir-")}
    print("   " + ("  ".join(f"{name}: {value}" for name, value in decision.items()) or "no decision headers"))
    audit = audit_of(log, headers.get("x-weir-decision"))
    if audit:
        attempts = " -> ".join(f"{one['provider']}/{one['model']} {one['status'] or 'no answer'}" for one in audit["attempts"])
        cost = audit["cost_microusd"]
        money = "unknown" if cost is None else f"${cost / 1e6:.6f}"
        print(f"   tried: {attempts or 'nobody'}; tokens: {audit['input']} in, {audit['output']} out; cost: {money}")
    if status != sample["expect"]:
        print(f"error: status {status}, expected {sample['expect']}; see {log}", file=sys.stderr)
        return False
    return True


def main(stay):
    WORK.mkdir(parents=True, exist_ok=True)
    require_free(PORT, "WEIR_PORT")
    require_free(ADMIN_PORT, "WEIR_ADMIN_PORT")
    text, ports = policy_with_free_ports()
    policy, config = WORK / f"policy{POLICY.suffix}", WORK / "envoy.yaml"
    policy.write_text(text)
    set_missing_keys(text)
    rendered = subprocess.run(
        [WEIR, "render", "envoy", policy, "--listen", f"127.0.0.1:{PORT}", "--admin", f"127.0.0.1:{ADMIN_PORT}"]
        + ["--wasm", ROOT / "target/weir.wasm", "-o", config],
        cwd=ROOT,
    )
    if rendered.returncode != 0:
        fail(f"weir render does not take {POLICY}")
    with Processes() as processes:
        for number, port in enumerate(ports, 1):
            processes.start_listening(f"mock-{number}", [WEIR, "mock", "--listen", f"mock-{number}@127.0.0.1:{port}"], port)
        log = processes.start_listening(
            "envoy",
            [ENVOY, "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
            + ["--component-log-level", "wasm:info"],
            PORT,
        )
        print(f"Envoy with Weir listens on 127.0.0.1:{PORT}, {len(ports)} mock providers behind it; logs in {WORK}")
        shown = [show(number, sample, log) for number, sample in enumerate(SAMPLES, 1)]
        if stay and all(shown):
            print(f"\nIt is up: your own curl goes to localhost:{PORT}; metrics are at localhost:{ADMIN_PORT}/stats/prometheus.")
            print("Ctrl-C ends it.", flush=True)
            signal.pause()
    sys.exit(0 if all(shown) else 1)


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
