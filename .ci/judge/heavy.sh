#!/usr/bin/env bash
# What `make e2e-clients` plays on the stage: frameworks and agents, one after another; fails if any of them does.
. "$(dirname "$0")/../lib.sh"
status=0
say "LangChain and LlamaIndex"
"$TOOLS/clients/python/bin/python" .ci/judge/frameworks.py || status=1
say "Vercel's ai"
node .ci/judge/vercel.mjs || status=1
say "Claude Code and Codex"
"$TOOLS/judges/bin/python" .ci/judge/agents.py || status=1
exit "$status"
