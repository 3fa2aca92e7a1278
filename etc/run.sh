#!/bin/sh
# Builds Picket if need be and runs it: `sh etc/run.sh [options of picket serve]`.
# Data goes to ./data unless PICKET_STORAGE_PATH says otherwise.
set -eu
cd "$(dirname "$0")/.."

binary=build/release/picket
sources="CMakeLists.txt CMakePresets.json main.cpp buffer relay upstream api etc/picket.toml"
# shellcheck disable=SC2086
if [ ! -x "$binary" ] || [ -n "$(find $sources -newer "$binary" -type f -print -quit)" ]; then
  sh etc/packages.sh build
  echo "building (the first time takes some minutes) …" >&2
  [ -f build/release/build.ninja ] || cmake --preset release >/dev/null
  cmake --build --preset release >&2
  touch "$binary"
fi

PICKET_STORAGE_PATH=${PICKET_STORAGE_PATH:-$PWD/data}
export PICKET_STORAGE_PATH
[ -f picket.toml ] && set -- --config picket.toml "$@"

"$binary" init --json >/dev/null
"$binary" init
exec "$binary" serve "$@"
