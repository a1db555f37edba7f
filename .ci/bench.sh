#!/usr/bin/env bash
# Builds everything and measures; arguments go to the bench (see benches/proxy/main.rs).
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$(dirname "$0")/setup.sh" wasm envoy
"$(dirname "$0")/build.sh" module noop
exec cargo bench --bench proxy -- "$@"
