#!/bin/sh
# Builds every fuzzer and runs each for a while, two at a time. The last line is the plain count.
#   sh tests/fuzz/run.sh                          60 s each
#   PICKET_FUZZ_SECONDS=10 sh tests/fuzz/run.sh   shorter
#   sh tests/fuzz/run.sh envelope multipart       some only, and no others are built
#   PICKET_FUZZERS=intake_fuzzers sh tests/fuzz/run.sh   without those of the digest and of searches
# Findings are written beside the corpus that grew, in build/fuzz/work-<name>/.
set -u
cd "$(dirname "$0")/../.."
seconds=${PICKET_FUZZ_SECONDS:-60}
logs=build/test-logs
mkdir -p "$logs"
sh etc/packages.sh tests || { echo "0 passed, 1 failed"; exit 1; }
targets=${PICKET_FUZZERS:-fuzzers}
[ $# -eq 0 ] || targets=$(printf '%s_fuzz ' "$@")
# shellcheck disable=SC2086  # one word a target
if ! { cmake --preset fuzz && cmake --build build/fuzz --target $targets; } >"$logs/fuzz.build" 2>&1; then
  tail -n 60 "$logs/fuzz.build"
  echo "0 passed, 1 failed"
  exit 1
fi

# Undefined behaviour is a finding: without this it is only said.
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export UBSAN_OPTIONS

fuzz_one() { # name
  work=build/fuzz/work-$1
  mkdir -p "$work"
  build/fuzz/"$1"_fuzz -max_total_time="$seconds" -timeout=10 -report_slow_units=1 -rss_limit_mb=2048 -artifact_prefix="$work/" \
    "$work" "tests/fuzz/corpus/$1" >"$logs/fuzz-$1" 2>&1
  echo $? >"$logs/fuzz-$1.code"
}

# What took longer than a second by itself, if anything did: on a busy machine no failure, but worth a look.
slowest() { sed -n 's/^Slowest unit: \([0-9]*\) s.*/, slowest input \1 s/p' "$logs/fuzz-$1" | tail -n 1; }

# Those that were asked for, not what else an earlier run has left in the folder.
# shellcheck disable=SC2046  # one word a name
[ $# -gt 0 ] || set -- $(ninja -C build/fuzz -t query "$targets" | sed -n 's/^    \(.*\)_fuzz$/\1/p' | sort)
passed=0
failed=0
while [ $# -gt 0 ]; do
  pair=$1
  [ $# -lt 2 ] || pair="$1 $2"
  for name in $pair; do
    rm -f "$logs/fuzz-$name.code"
    fuzz_one "$name" &
    shift
  done
  wait
  for name in $pair; do
    if [ "$(cat "$logs/fuzz-$name.code" 2>/dev/null)" = 0 ]; then
      passed=$((passed + 1))
      echo "$name: $(sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\) second.*/\1 runs in \2 s/p' "$logs/fuzz-$name" | tail -n 1)$(slowest "$name")"
    else
      failed=$((failed + 1))
      echo "FAILED: fuzz $name"
      tail -n 60 "$logs/fuzz-$name"
    fi
  done
done
echo "$passed passed, $failed failed"
[ "$passed" -gt 0 ] && [ "$failed" -eq 0 ]
