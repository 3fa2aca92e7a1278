#!/bin/sh
# Measures the goals of docs/benchmarks.md on this machine and prints a table.
#   sh tests/bench/run.sh                   everything: about 40 minutes, some 55 GB of disk (15 and 25 minutes without `backlog`)
#   sh tests/bench/run.sh quick             a tenth of the load: about 4 minutes
#   sh tests/bench/run.sh full acks mirror  single sections by name
# The load generator runs on the same cores as Picket.
set -eu
cd "$(dirname "$0")/../.."
sh etc/packages.sh tests
[ -f build/bench/build.ninja ] || cmake --preset bench >/dev/null
cmake --build build/bench --target picket picket_load picket_scripted_upstream journal_bench >&2
exec python3 tests/bench/run.py "${@:-full}"
