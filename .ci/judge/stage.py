"""The stage that real clients play on: a mock for each kind of provider, and Envoy with Weir before them.

    stage.py [--only PROVIDER]... [COMMAND...]

Runs COMMAND once it stands, with WEIR_GATEWAY, WEIR_KEY and WEIR_PROVIDERS in its environment; without one, clients.py with
every provider. Its pieces are demo.py's.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEY = "weir-clients-key"

# Every kind of provider: its API, what its endpoint ends with, a model that can do all that the scenarios ask for, and one
# that makes vectors.
PROVIDERS = {
    "openai": ("openai", "/v1", "gpt-5.4-mini", "text-embedding-3-small"),
    "responses": ("openai_responses", "/v1", "gpt-5.4-mini", None),
    "anthropic": ("anthropic", "", "claude-sonnet-4-5-20250929", None),
    "gemini": ("gemini", "", "gemini-2.5-flash", "gemini-embedding-001"),
    "bedrock": ("bedrock", "", "anthropic.claude-sonnet-4-5-20250929-v1:0", None),
    "cohere": ("cohere", "", "command-a-plus-05-2026", "embed-english-v3.0"),
    "azure": ("azure_openai", "", "gpt-5-mini", "text-embedding-3-small"),
    "vertex": ("vertex", "/v1/projects/p/locations/global", "gemini-3-flash-preview", "text-embedding-005"),
    "vertex_claude": ("vertex", "/v1/projects/p/locations/global", "claude-sonnet-4-6", None),
}

# Names that agents know, each served by another vendor than they think.
FOREIGN = {"claude-sonnet-4-5": "openai", "gpt-5.4": "anthropic"}


def demo():
    """demo.py as a module, on ports and in a folder of its own."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / ".ci/demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.PORT, module.ADMIN_PORT = module.free_port(), module.free_port()
    module.WORK = ROOT / "target/clients"
    module.POLICY = module.WORK / "policy.json"
    module.WORK.mkdir(parents=True, exist_ok=True)
    return module


def provider(name, port):
    api, ending, _, _ = PROVIDERS[name]
    entry = {"api": api, "endpoint": f"http://127.0.0.1:{port}{ending}", "catalogue": {"responses": "openai", "vertex_claude": "vertex"}.get(name, name)}
    if name == "bedrock":
        variables = {"access_key_id": "${WEIR_STAGE_AWS_ID}", "secret_access_key": "${WEIR_STAGE_AWS_SECRET}"}
        return {**entry, "aws": {**variables, "region": "us-east-1"}}
    return {**entry, "key": f"${{{variable(name)}}}"}


def variable(name):
    return f"WEIR_STAGE_{name.upper()}_KEY"


def policy(ports):
    models = {f"via-{name}": {"targets": [f"{name}/{PROVIDERS[name][2]}"]} for name in ports}
    models |= {f"vectors-{name}": {"targets": [f"{name}/{PROVIDERS[name][3]}"]} for name in ports if PROVIDERS[name][3]}
    models |= {name: {"targets": [f"{by}/{PROVIDERS[by][2]}"]} for name, by in FOREIGN.items() if by in ports}
    return {
        "version": 1,
        "providers": {name: provider(name, port) for name, port in ports.items()},
        "models": models,
        "teams": {"clients": {}},
        "keys": [{"id": "clients", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "team": "clients"}],
        "observe": {"audit": "metadata", "explain": "header"},
    }


def command(given, gateway, names):
    """What plays: by default the official SDKs, with every provider's models."""
    if given.command:
        return given.command
    words = [sys.executable, HERE / "clients.py", "--gateway", gateway, "--key", KEY]
    words += [word for name in names for word in ("--model", f"{name}=via-{name}")]
    words += [word for name in names if PROVIDERS[name][3] for word in ("--embed", f"{name}=vectors-{name}")]
    return words + [word for name in given.client for word in ("--client", name)]


def run(given):
    stage = demo()
    names = given.only or list(PROVIDERS)
    ports = {name: stage.free_port() for name in names}
    os.environ |= {variable(name): f"stage-{name}" for name in names}
    os.environ |= {"WEIR_STAGE_AWS_ID": "AKIDEXAMPLE", "WEIR_STAGE_AWS_SECRET": "stage-secret"}
    config = stage.render(json.dumps(policy(ports), indent=2))
    gateway = f"http://127.0.0.1:{stage.PORT}"
    with stage.Processes() as processes:
        for name, port in ports.items():
            words = [stage.WEIR, "mock", "--listen", f"{name}@127.0.0.1:{port}"]
            # A mock refuses every key but its own provider's; signatures are botocore's to judge (see sigv4.py).
            words += [] if name == "bedrock" else ["--require-key", f"stage-{name}"]
            processes.start_listening(f"mock-{name}", words, port)
        words = [stage.ENVOY, "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
        words += ["--component-log-level", "wasm:info", "--file-flush-interval-msec", "20"]
        processes.start_listening("envoy", words, stage.PORT, output=stage.WORK / "audit.jsonl")
        environment = {**os.environ, "WEIR_GATEWAY": gateway, "WEIR_KEY": KEY, "WEIR_PROVIDERS": " ".join(names)}
        status = subprocess.run([str(word) for word in command(given, gateway, names)], env=environment).returncode
        dead = processes.dead()
        if dead is not None:
            print(f"error: {dead.args[0]} ended on its own; its log is in {stage.WORK}")
            status = status or 1
    if status:
        print(f"weir: logs of the mocks and of Envoy: {stage.WORK.relative_to(ROOT)}")
    return status


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", action="append", choices=PROVIDERS, help="only this provider; may be repeated")
    options.add_argument("--client", action="append", default=[], help="only this SDK; may be repeated")
    options.add_argument("command", nargs="*")
    sys.exit(run(options.parse_args()))


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    main()
