# Every task of the project; the work itself is in .ci/. Plain `make` lists the targets.

.DEFAULT_GOAL := help
.PHONY: help run demo test build lint bench e2e judges clients e2e-clients fuzz setup

help: ## lists the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1 /p' $(MAKEFILE_LIST) | while read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

run: ## builds all, starts three mock providers and Envoy with Weir, sends samples; stays up until Ctrl-C
	@.ci/demo.sh --stay

demo: ## the same, then exits
	@.ci/demo.sh

test: ## every check and test: lint, native, WebAssembly under Node, end to end in a real Envoy, SDKs
	@.ci/test.sh

build: ## target/weir.wasm and target/release/weir
	@.ci/build.sh

lint: ## formatting, clippy for both targets, documentation
	@.ci/lint.sh

bench: ## CPU per request of bare Envoy, a filter that does nothing, and Weir (QUICK=1: one short round)
	@.ci/bench.sh $(if $(QUICK),--quick)

e2e: ## the end-to-end tests alone, in a real Envoy
	@.ci/test.sh e2e

judges: ## what the tests wrote in every format, held against the vendors' own SDKs
	@.ci/test.sh judges

clients: ## the official SDKs, unmodified, through a real Envoy to every other vendor's mock
	@.ci/test.sh clients

e2e-clients: ## LangChain, LlamaIndex, Vercel's ai, Claude Code and Codex the same way (800 MB of programs)
	@.ci/test.sh e2e-clients

fuzz: ## hostile input for every parser, 600 seconds a target (SECONDS=5 TARGET=stream: less)
	@.ci/fuzz.sh $(TARGET) $(if $(SECONDS),--seconds $(SECONDS))

setup: ## gets the toolchain's targets, Envoy and the test tools, and nothing else
	@.ci/setup.sh
