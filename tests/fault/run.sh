#!/bin/sh
# Schedules of faults in any number, for a night: the journal and the tables alone (journal_faults.py), then the whole
# program (tests/e2e/fault.test.mjs), both under shim.cpp.
#   sh tests/fault/run.sh 10000        seeds 1 to 10000
#   sh tests/fault/run.sh 1 4711       seed 4711 alone
#   PICKET_FAULT_PARALLEL=4            so many at once; 2 by default
#   PICKET_BINARY=…                    that binary, instead of the release one
#   PICKET_FAULT_PRESET=bench          the journal and the tables alone without sanitizers: ten times as fast
set -eu
cd "$(dirname "$0")/../.."
seeds=${1:-200}
first=${2:-1}
parallel=${PICKET_FAULT_PARALLEL:-2}
if [ -z "${PICKET_BINARY:-}" ]; then
  cmake --preset release >/dev/null
  cmake --build build/release --target picket >/dev/null
fi
preset=${PICKET_FAULT_PRESET:-asan}
cmake --preset "$preset" >/dev/null
cmake --build "build/$preset" --target picket_fault fault_subject picket_scripted_upstream >/dev/null
failed=0
python3 tests/fault/journal_faults.py "build/$preset" "$seeds" "$first" "$parallel" || failed=1
PICKET_FAULT_SHIM=$PWD/build/$preset/libpicket_fault.so
PICKET_SCRIPTED_UPSTREAM=$PWD/build/$preset/picket_scripted_upstream
PICKET_FAULT_SEEDS=$seeds
PICKET_FAULT_FIRST=$first
PICKET_FAULT_PARALLEL=$parallel
export PICKET_FAULT_SHIM PICKET_SCRIPTED_UPSTREAM PICKET_FAULT_SEEDS PICKET_FAULT_FIRST PICKET_FAULT_PARALLEL
(cd tests/e2e && node --test --test-reporter=spec fault.test.mjs) || failed=1
exit $failed
