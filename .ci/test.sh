#!/usr/bin/env bash
# Every check and test: test.sh [lint] [native] [wasm] [judges] [clients] [e2e] [e2e-clients]; default: the first five. The
# native tests hold the end-to-end ones, so e2e is there to run those alone; e2e-clients wants 800 MB of other people's
# programs. Ends with the counts of all runners, also in target/test-counts.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

started=$SECONDS
mkdir -p target
rm -f target/test-counts
passed=0
failed=0
broken=()
written=no # what the judges read, by this run

# Runs one runner, shows its output and adds up its "test result" lines. One that fails without counting any failed
# test (it does not compile, or it crashed) counts as one.
runner() {
  local name=$1 log=$ROOT/target/test-$1.log status before=$failed ok bad
  shift
  say "test: $name"
  "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  read -r ok bad < <(awk '/^test result:/ { for (i = 1; i < NF; i++) {
      if ($(i + 1) ~ /^passed/) ok += $i
      if ($(i + 1) ~ /^failed/) bad += $i } }
    END { print ok + 0, bad + 0 }' "$log")
  passed=$((passed + ok))
  failed=$((failed + bad))
  if [ "$status" != 0 ]; then
    broken+=("$name")
    [ "$failed" -gt "$before" ] || failed=$((failed + 1))
  fi
}

# Lint prints no counts; a clean one is one passed check.
lint() { .ci/lint.sh && echo "test result: ok. 1 passed"; }

native() { cargo test --no-fail-fast; }

end_to_end() { cargo test --no-fail-fast --test e2e; }

wasm() {
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$TOOLS/bin/wasm-bindgen-test-runner \
    wasm_cargo wasm32-unknown-unknown test --no-default-features --test core_wasm
}

# The vendors' SDKs judge what the native tests write. Without those it is written here; that they pass is theirs to say.
judges() {
  if [ "$written" = no ]; then
    rm -rf target/judge
    cargo test --quiet --test codec_cross >target/test-codec-cross.log 2>&1 || {
      echo "error: codec_cross fails, and writes what is judged; see target/test-codec-cross.log"
      return 1
    }
  fi
  "$TOOLS/judges/bin/python" .ci/judge/judge.py --selftest --fixtures tests/fixtures/wire --sigv4 tests/fixtures/sigv4.jsonl target/judge
}

# The official SDKs, through Envoy, to a mock of every kind of provider.
clients() { "$TOOLS/judges/bin/python" .ci/judge/stage.py; }

# LangChain, LlamaIndex, Vercel's ai, Claude Code and Codex, each of them unmodified.
end_to_end_clients() { "$TOOLS/judges/bin/python" .ci/judge/stage.py .ci/judge/heavy.sh; }

[ $# -gt 0 ] || set -- lint native wasm judges clients
"$(dirname "$0")/setup.sh" || exit 1
case " $* " in *" e2e-clients "*) "$(dirname "$0")/setup.sh" clients || exit 1 ;; esac
"$(dirname "$0")/build.sh" || exit 1
export WEIR_ENVOY=${WEIR_ENVOY:-$ENVOY} WEIR_WASM=${WEIR_WASM:-$MODULE}
for step; do
  case $step in
    lint | wasm | judges | clients) runner "$step" "$step" ;;
    native)
      rm -rf target/judge
      runner native native
      written=yes
      ;;
    e2e) runner e2e end_to_end ;;
    e2e-clients) runner e2e-clients end_to_end_clients ;;
    *) die "test.sh knows lint, native, wasm, judges, clients, e2e and e2e-clients, not \"$step\"" ;;
  esac
done

[ ${#broken[@]} = 0 ] || say "failed: ${broken[*]} (see target/test-*.log)"
say "$((SECONDS - started)) seconds"
echo "$passed passed, $failed failed" | tee target/test-counts
[ "$failed" = 0 ]
