#!/usr/bin/env bash
# Formatting, clippy for the machine and for the module's target, documentation. Any warning fails.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$(dirname "$0")/setup.sh" wasm
cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 ||
  die "rustfmt or clippy is missing: rustup component add rustfmt clippy"

failed=()
check() {
  say "lint: $1"
  shift
  "$@" || failed+=("$*")
}

# The same words for a toolchain without clippy: the compiler's own warnings are all it has.
module_lint() {
  if [ "$(wasm_toolchain)" = debian ]; then
    wasm_cargo wasm32-wasip1 check --quiet --lib --config 'build.warnings="deny"'
  else
    wasm_cargo wasm32-wasip1 clippy --quiet --lib -- --deny warnings
  fi
}

check "formatting" cargo fmt --check
check "clippy for this machine" cargo clippy --quiet --all-targets -- --deny warnings
check "clippy for the module" module_lint
check "documentation" env RUSTDOCFLAGS="--deny warnings" cargo doc --quiet --no-deps --document-private-items --lib
[ ${#failed[@]} = 0 ] || die "lint: ${#failed[@]} of 4 checks failed: ${failed[*]}"
