#!/bin/sh
# Schedules of faults in any number, for a night: the release binary under tests/fault/shim.cpp.
#   sh tests/fault/run.sh 10000        seeds 1 to 10000
#   sh tests/fault/run.sh 1 4711       seed 4711 alone
#   PICKET_FAULT_PARALLEL=4            so many at once; 2 by default
set -eu
cd "$(dirname "$0")/../.."
for preset in release asan; do cmake --preset $preset >/dev/null; done
cmake --build build/release --target picket >/dev/null
cmake --build build/asan --target picket_fault >/dev/null
PICKET_FAULT_SHIM=$PWD/build/asan/libpicket_fault.so
export PICKET_FAULT_SHIM
cd tests/e2e
PICKET_FAULT_SEEDS=${1:-200} PICKET_FAULT_FIRST=${2:-1} exec node --test --test-reporter=spec fault.test.mjs
