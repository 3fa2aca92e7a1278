#!/bin/sh
# Installs what is missing, builds, and runs every test. The last line is the plain count.
#   sh tests/run.sh            everything
#   PICKET_TESTS="unit e2e"    some phases only: unit tsan e2e, and two that are not part of everything:
#                              fuzz: its corpora are replayed by unit, and building with clang as well takes half as long as all the rest
#                              versions: it builds older versions as well, which takes as long each (tests/versions/run.sh); nightly does
#   PICKET_CRASH_ROUNDS=20     a shorter crash test
set -u
cd "$(dirname "$0")/.."
phases=${PICKET_TESTS:-unit tsan e2e}
logs=build/test-logs
mkdir -p "$logs"
passed=0
failed=0

say() { printf '\n== %s (%s)\n' "$1" "$(date +%H:%M:%S)"; }

# A phase that could not even be built counts as one failure, with the end of its log.
broken() {
  failed=$((failed + 1))
  echo "FAILED: $1"
  tail -n 60 "$2"
}

configure_and_build() { # preset, targets…
  preset=$1
  shift
  cmake --preset "$preset" >"$logs/$preset.configure" 2>&1 || { broken "configure $preset" "$logs/$preset.configure"; return 1; }
  cmake --build "build/$preset" ${1:+--target "$@"} >"$logs/$preset.build" 2>&1 || { broken "build $preset" "$logs/$preset.build"; return 1; }
}

count_ctest() { # preset, ctest's arguments…
  preset=$1
  shift
  log=$logs/$preset.test
  ctest --preset "$preset" -j3 "$@" >"$log" 2>&1
  total=$(sed -n 's/.*tests passed, .* tests failed out of \([0-9]*\).*/\1/p' "$log" | tail -n 1)
  bad=$(sed -n 's/.*tests passed, \([0-9]*\) tests failed out of.*/\1/p' "$log" | tail -n 1)
  [ -n "$total" ] || { broken "ctest" "$log"; return; }
  passed=$((passed + total - bad))
  failed=$((failed + bad))
  echo "$((total - bad)) of $total passed"
  [ "$bad" -eq 0 ] || sed -n '/^The following tests FAILED/,/^Errors while/p' "$log"
  # What they said, without the thousand that passed.
  [ "$bad" -eq 0 ] || grep -vE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .* Passed +|^ +Start +[0-9]+: |^(Running main|Note: Google Test filter)' "$log" | head -n 400
}

# Of a script whose last line is "N passed, M failed".
count_last_line() { # log
  good=$(sed -n '$s/^\([0-9]*\) passed, [0-9]* failed$/\1/p' "$1")
  bad=$(sed -n '$s/^[0-9]* passed, \([0-9]*\) failed$/\1/p' "$1")
  [ -n "$good" ] || { broken "$1" "$1"; return; }
  passed=$((passed + good))
  failed=$((failed + bad))
  if [ "$bad" -eq 0 ]; then tail -n 30 "$1"; else tail -n 200 "$1"; fi
}

sh etc/packages.sh tests || { echo "0 passed, 1 failed"; exit 1; }

case " $phases " in *" unit "*)
  say "unit tests, lint and fuzz corpora under ASan and UBSan"
  if configure_and_build asan; then count_ctest asan; fi ;;
esac

case " $phases " in *" tsan "*)
  say "what shares memory, under TSan"
  if configure_and_build tsan concurrent_tests; then count_ctest tsan -L concurrent; fi ;;
esac

case " $phases " in *" fuzz "*)
  PICKET_FUZZ_SECONDS=${PICKET_FUZZ_SECONDS:-10}
  # The digest's and the searches' take as long to build as all others: their corpora are replayed above.
  PICKET_FUZZERS=${PICKET_FUZZERS:-intake_fuzzers}
  export PICKET_FUZZ_SECONDS PICKET_FUZZERS
  say "fuzzers, $PICKET_FUZZ_SECONDS s each"
  sh tests/fuzz/run.sh >"$logs/fuzz" 2>&1
  count_last_line "$logs/fuzz" ;;
esac

# Runs test files under Node and adds up what it says: log name, files…
end_to_end() {
  name=$1
  shift
  (cd tests/e2e && timeout 2400 node --test --test-concurrency=2 --test-reporter=tap "$@" >"../../$logs/$name" 2>&1)
  good=$(sed -n 's/^# pass \([0-9]*\)$/\1/p' "$logs/$name" | tail -n 1)
  bad=$(sed -n 's/^# fail \([0-9]*\)$/\1/p' "$logs/$name" | tail -n 1)
  if [ -z "$good" ] || [ -z "$bad" ]; then
    broken "end to end: $name" "$logs/$name"
    return
  fi
  passed=$((passed + good))
  failed=$((failed + bad))
  echo "$name: $good passed, $bad failed"
  if [ "$bad" -eq 0 ]; then
    grep -E '^# (acknowledged|skipped)' "$logs/$name"
  else
    # Each failure with what it said first, then the end of the log, which of a long run rarely holds them.
    awk '/^ *not ok /{on=1} on{print} /^ *\.\.\.$/{on=0}' "$logs/$name" | head -n 400
    grep -vE '^ *(duration_ms|type:|---|\.\.\.|1\.\.[0-9]|ok |# Subtest)' "$logs/$name" | tail -n 100
  fi
}

case " $phases " in *" e2e "*)
  say "the binaries: release, and ASan with the scripted upstream"
  if configure_and_build release picket && configure_and_build asan picket picket_scripted_upstream picket_fault; then
    PICKET_SCRIPTED_UPSTREAM=$PWD/build/asan/picket_scripted_upstream
    export PICKET_SCRIPTED_UPSTREAM
    if (for folder in tests/e2e tests/sdk; do
          (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund) || exit 1
        done) >"$logs/npm" 2>&1; then
      # Sentry's MCP server needs a newer Node.js than Debian 12 has.
      agents=agents.test.mjs
      [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || { agents=""; echo "skipped: agents.test.mjs needs Node.js 20"; }
      say "end to end under ASan and UBSan: real SDKs and clients, mirrors, misuse, verbs"
      PICKET_BINARY=$PWD/build/asan/picket UBSAN_OPTIONS=halt_on_error=1 \
        end_to_end e2e-asan ../sdk/matrix.test.mjs clients.test.mjs $agents mirror.test.mjs managed.test.mjs status_sync.test.mjs batches.test.mjs destinations.test.mjs link.test.mjs weather.test.mjs bad_link.test.mjs ledger.test.mjs misuse.test.mjs hostile.test.mjs intake.test.mjs files.test.mjs uploads.test.mjs policy.test.mjs telemetry.test.mjs replay.test.mjs verbs.test.mjs schema.test.mjs service.test.mjs health.test.mjs operations.test.mjs journal.test.mjs recompress.test.mjs upgrade.test.mjs disk.test.mjs
      say "killed under load, and on a disk that fails by 200 schedules: the release binary"
      end_to_end e2e-crash crash.test.mjs
      PICKET_FAULT_SHIM=$PWD/build/asan/libpicket_fault.so end_to_end e2e-fault fault.test.mjs
    else
      broken "npm ci" "$logs/npm"
    fi
    strip -o build/picket.stripped build/release/picket
    size=$(wc -c <build/picket.stripped)
    echo "stripped release binary: $size bytes"
    if [ "$size" -le 12582912 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: the stripped binary is over 12 MB"; fi
  fi ;;
esac

case " $phases " in *" versions "*)
  say "one data folder, served by several versions in turn"
  if configure_and_build release picket && configure_and_build asan picket_scripted_upstream; then
    PICKET_CURRENT=$PWD/build/release/picket PICKET_SCRIPTED_UPSTREAM=$PWD/build/asan/picket_scripted_upstream \
      sh tests/versions/run.sh >"$logs/versions" 2>&1 || true
    count_last_line "$logs/versions"
  fi ;;
esac

say "done"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
