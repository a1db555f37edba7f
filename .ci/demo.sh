#!/usr/bin/env bash
# Builds everything, then shows requests on their way through Envoy and Weir: demo.sh [--stay].
#
#   WEIR_POLICY=envoy/policy.yaml   another policy; its providers on 127.0.0.1 get a mock each
#   WEIR_PORT=10000  WEIR_ADMIN_PORT=9901
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$(dirname "$0")/setup.sh" wasm envoy
"$(dirname "$0")/build.sh"
exec python3 .ci/demo.py "$@"
