#!/bin/sh
# Mixed traffic at 80 % of what this machine can do, for hours, while destinations go up and down.
#   sh tests/soak/run.sh HOURS            0.1 is six minutes; a day is 24
#   PICKET_SOAK_RATE=4000                 error events a second, instead of measuring first what the machine can do
#   PICKET_SOAK_CORPUS=FOLDER             real payloads beside the made-up ones: events (.json), envelopes, minidumps (.dmp)
#   PICKET_BENCH_DIR=FOLDER               where the data goes (default /var/tmp); up to 8 GB
# Prints a line a minute and a table at the end; the samples are in build/soak/. Exit code 1 when something did not hold.
set -eu
cd "$(dirname "$0")/../.."
case "${1:-}" in ""|-*|*[!0-9.]*) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 64 ;; esac
sh etc/packages.sh tests
[ -f build/bench/build.ninja ] || cmake --preset bench >/dev/null
cmake --build build/bench --target picket picket_load picket_scripted_upstream >&2
exec python3 tests/soak/soak.py "$1"
