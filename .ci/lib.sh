# What the scripts of this folder share: where things are, how to speak, which toolchain builds WebAssembly.
# Sourced, never run. Nothing here installs anything (see setup.sh).
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLS=$ROOT/.tools
MODULE=$ROOT/target/weir.wasm
PROGRAM=$ROOT/target/release/weir
ENVOY=$TOOLS/bin/envoy
cd "$ROOT" || exit 1

# A fresh login shell may not have read rustup's own file yet.
if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
  # shellcheck disable=SC1091
  . "$HOME/.cargo/env"
fi

say() { printf 'weir: %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Which toolchain builds for WebAssembly: "rustup" (its std is installed) or "debian" (std is built from source).
wasm_toolchain() { cat "$TOOLS/stamps/toolchain" 2>/dev/null || echo rustup; }

# Runs cargo for a WebAssembly target: wasm_cargo TARGET SUBCOMMAND [ARGS...]
#
# Why Debian's way has a target folder of its own: its compiler is another version than rustup's, and both would throw
# each other's work away; with the folder and unchanging flags, std is built once.
wasm_cargo() {
  local target=$1 subcommand=$2
  shift 2
  if [ "$(wasm_toolchain)" = debian ]; then
    local flags=""
    [ "$target" = wasm32-wasip1 ] && flags="-L native=/usr/lib/wasm32-wasi"
    CARGO_TARGET_DIR=$ROOT/target/debian RUSTFLAGS=$flags RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
      CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld-22 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-22 \
      /usr/bin/cargo "$subcommand" -Z build-std=std,panic_abort --target "$target" "$@"
  else
    cargo "$subcommand" --target "$target" "$@"
  fi
}

# Where wasm_cargo leaves its work.
wasm_target_dir() {
  if [ "$(wasm_toolchain)" = debian ]; then echo "$ROOT/target/debian"; else echo "$ROOT/target"; fi
}
