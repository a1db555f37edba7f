#!/usr/bin/env bash
# Builds target/weir.wasm and target/release/weir: build.sh [module] [program] [noop]; default: module program.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Puts a file where people look for it, and keeps its time when nothing changed.
place() { cmp -s "$1" "$2" || cp "$1" "$2"; }

build_module() {
  command -v python3 >/dev/null || die "no python3 here, and a script of it checks the module: apt-get install python3"
  # A plain build makes an rlib beside the cdylib and loses link-time optimisation; asking for the one type keeps it.
  wasm_cargo wasm32-wasip1 rustc --lib --profile module --crate-type cdylib
  place "$(wasm_target_dir)/wasm32-wasip1/module/weir.wasm" "$MODULE"
  python3 .ci/check_module.py "$MODULE"
}

build_program() { cargo build --release --bin weir; }

# The filter that does nothing, to compare with.
build_noop() {
  wasm_cargo wasm32-wasip1 build --example noop_filter --profile module
  place "$(wasm_target_dir)/wasm32-wasip1/module/examples/noop_filter.wasm" "$ROOT/target/noop.wasm"
}

"$(dirname "$0")/setup.sh" wasm
mkdir -p target
[ $# -gt 0 ] || set -- module program
for step; do
  case $step in
    module | program | noop) "build_$step" ;;
    *) die "build.sh knows module, program and noop, not \"$step\"" ;;
  esac
done
