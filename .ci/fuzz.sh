#!/usr/bin/env bash
# Hostile input: fuzz.sh [TARGET...] [--seconds N]; default: every target of fuzz/, 600 seconds each, one after another.
# Corpora, findings and logs are in target/fuzz; a finding's file goes through the same checks again with
# `target/fuzz/build/*/release/TARGET FILE`, and belongs in tests/fuzz_findings.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

readonly WORK=$ROOT/target/fuzz
seconds=600
targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds)
      seconds=${2:?--seconds wants a number}
      shift
      ;;
    -*) die "fuzz.sh knows --seconds, not \"$1\"" ;;
    *) targets+=("$1") ;;
  esac
  shift
done
mapfile -t known < <(sed -n 's/^name = "\([a-z_]*\)"$/\1/p' fuzz/Cargo.toml)
[ ${#targets[@]} -gt 0 ] || targets=("${known[@]}")
for target in "${targets[@]}"; do
  case " ${known[*]} " in *" $target "*) ;; *) die "no target \"$target\"; there are: ${known[*]}" ;; esac
done

"$(dirname "$0")/setup.sh" rust fuzz
mkdir -p "$WORK"
python3 .ci/fuzz_seeds.py "$WORK"

# Why RUSTC_BOOTSTRAP: a sanitizer's flag is one for nightly compilers alone, and stable ones can do it as well.
say "building ${#targets[@]} targets (some minutes the first time)"
for target in "${targets[@]}"; do
  RUSTC_BOOTSTRAP=1 "$TOOLS/bin/cargo-fuzz" fuzz build "$target" --target-dir "$WORK/build" >"$WORK/build.log" 2>&1 || {
    tail -n 25 "$WORK/build.log" >&2
    die "the target $target does not build"
  }
done

failed=()
for target in "${targets[@]}"; do
  corpus=$WORK/corpus/$target
  artifacts=$WORK/artifacts/$target
  log=$WORK/$target.log
  mkdir -p "$corpus" "$artifacts" "$WORK/seeds/$target"
  status=0
  "$(ls "$WORK"/build/*/release/"$target")" "$corpus" "$WORK/seeds/$target" -dict="$WORK/words.dict" \
    -max_total_time="$seconds" -artifact_prefix="$artifacts/" -max_len=16384 -timeout=25 -rss_limit_mb=3000 \
    -print_final_stats=1 >"$log" 2>&1 || status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  result=ok
  if [ "$status" != 0 ]; then
    failed+=("$target")
    result="FAILED: $(grep -a -m1 -A1 'panicked at\|ERROR: ' "$log" | tr '\n' ' ' | cut -c1-300)"
  fi
  printf '%-13s %6s s  %10s runs  %5s inputs  %s\n' "$target" "$seconds" "${runs:-0}" "$(find "$corpus" -type f | wc -l)" "$result"
done
[ ${#failed[@]} = 0 ] || die "findings of ${failed[*]}: see target/fuzz/artifacts and target/fuzz/*.log"
