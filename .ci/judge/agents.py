"""Claude Code and Codex, unmodified, through a gateway: each runs a command because a model of another vendor asks it to.

Reads WEIR_GATEWAY and WEIR_KEY (see stage.py). Each has a home of its own and no way out but the gateway. Ends with a
`test result:` line.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAMS = ROOT / ".tools/clients/node/node_modules/.bin"
HOME = ROOT / "target/clients/home"
GATEWAY, KEY = os.environ["WEIR_GATEWAY"], os.environ["WEIR_KEY"]
# What the command prints; the model's last word quotes it.
SAID = "weir-was-here"


def environment(**more):
    """Nothing of the caller's but where programs are. The proxy is a port that nobody listens on."""
    nowhere = {name: "http://127.0.0.1:9" for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")}
    return {"PATH": os.environ["PATH"], "HOME": str(HOME), "NO_PROXY": "127.0.0.1,localhost", **nowhere, **more}


def run(words, seconds=120, **more):
    folder = HOME / "work"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            [str(word) for word in words], cwd=folder, env=environment(**more), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"no end after {seconds} s; last words: {last(str(error.stdout) + str(error.stderr))}") from None
    must(done.returncode == 0, f"exit status {done.returncode}: {last(done.stdout + done.stderr)}")
    return done.stdout


def last(text):
    return " ".join(text.split())[-500:]


def must(condition, what):
    if not condition:
        raise AssertionError(what)


def claude(model):
    # It asks models that it knows to think, and a past turn of theirs without a thought would be refused.
    arguments = json.dumps({"command": f"echo {SAID}", "description": "say it"})
    words = ["claude", "-p", f"think, then use the tool Bash with {arguments}", "--model", model, "--allowedTools", "Bash", "--output-format", "stream-json", "--verbose"]
    text = run(
        [PROGRAMS / words[0], *words[1:]],
        CLAUDE_CONFIG_DIR=str(HOME / ".claude"),
        ANTHROPIC_BASE_URL=GATEWAY,
        ANTHROPIC_AUTH_TOKEN=KEY,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        CLAUDE_CODE_MAX_RETRIES="1",
    )
    events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    blocks = [block for event in events if event.get("type") == "user" for block in contents(event)]
    results = [block for block in blocks if block.get("type") == "tool_result"]
    final = next((event for event in events if event.get("type") == "result"), {})
    must(any(SAID in json.dumps(block) and not block.get("is_error") for block in results), f"the command did not run; it says {final.get('result')!r}")
    must(not final.get("is_error") and SAID in str(final.get("result")), f"the last word is {last(json.dumps(final))}")


def contents(event):
    content = event.get("message", {}).get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def codex(model):
    settings = HOME / ".codex"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "config.toml").write_text(
        f'model = "{model}"\nmodel_provider = "weir"\n\n[model_providers.weir]\nname = "weir"\nbase_url = "{GATEWAY}/v1"\n'
        'env_key = "WEIR_KEY"\nwire_api = "responses"\nrequest_max_retries = 0\nstream_max_retries = 0\n'
    )
    arguments = json.dumps({"cmd": f"echo {SAID}"})
    words = ["exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", f"use the tool exec_command with {arguments}"]
    text = run([PROGRAMS / "codex", *words], CODEX_HOME=str(settings), WEIR_KEY=KEY)
    items = [json.loads(line).get("item", {}) for line in text.splitlines() if line.startswith('{"type":"item.completed"')]
    commands = [item for item in items if item.get("type") == "command_execution"]
    must(any(SAID in item.get("aggregated_output", "") and item.get("exit_code") == 0 for item in commands), f"the command did not run: {last(text)}")
    messages = [item.get("text", "") for item in items if item.get("type") == "agent_message"]
    must(messages and SAID in messages[-1], f"the last word is {messages[-1:]}: {last(text)}")


# Every provider for both; the first of each goes by a name that the program knows, which changes what it sends.
DEEDS = [("Claude Code", claude, "claude-sonnet-4-5"), ("Codex", codex, "gpt-5.4")]


def main():
    shutil.rmtree(HOME, ignore_errors=True)
    passed = failed = 0
    providers = os.environ["WEIR_PROVIDERS"].split()
    for name, play, known in DEEDS:
        for model in [known, *(f"via-{provider}" for provider in providers)]:
            try:
                play(model)
                passed += 1
            except (AssertionError, OSError, ValueError) as error:
                failed += 1
                print(f"failed: {name}, model {model}: {error}", flush=True)
    print(f"test result: {'FAILED' if failed or not passed else 'ok'}. {passed} passed; {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
