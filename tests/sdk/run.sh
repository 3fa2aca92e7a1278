#!/bin/sh
# Installs and runs every SDK that can be reached, and the library that judges Relays, and says which could not, and why.
# The last line is the plain count.
#   sh tests/sdk/run.sh
#   PICKET_BINARY=…      a Picket that is built already (default: builds the release preset)
#   PICKET_SDKS="go …"   some only: node node-11 browser otel otel-protobuf python python-pypi go rust java curl relay
set -u
cd "$(dirname "$0")/../.."
top=$PWD
into=$top/build/sdk
mkdir -p "$into"

sh etc/packages.sh tests || { echo "0 passed, 1 failed"; exit 1; }
if [ -z "${PICKET_BINARY:-}" ]; then
  echo "building picket"
  if ! { cmake --preset release && cmake --build build/release --target picket; } >"$into/picket.log" 2>&1; then
    tail -n 40 "$into/picket.log"
    echo "0 passed, 1 failed"
    exit 1
  fi
  PICKET_BINARY=$top/build/release/picket
fi
case $PICKET_BINARY in /*) ;; *) PICKET_BINARY=$top/$PICKET_BINARY ;; esac
export PICKET_BINARY

wanted=${PICKET_SDKS:-node node-11 browser otel otel-protobuf python python-pypi go rust java curl relay}
wants() { case " $wanted " in *" $1 "*) return 0 ;; esac; return 1; }
chosen=""
missing=""

# Prepares an SDK: name, the tool it needs, a command. What fails is left out and told.
prepare() {
  name=$1
  tool=$2
  shift 2
  wants "$name" || return 0
  if ! command -v "$tool" >/dev/null 2>&1; then
    missing="$missing$name: there is no $tool here
"
    return 0
  fi
  if "$@" >"$into/$name.log" 2>&1; then
    chosen="$chosen $name"
  else
    missing="$missing$name: $(grep -iE 'error|fatal|cannot|could not|failed' "$into/$name.log" | tail -n 1) (all of it: build/sdk/$name.log)
"
  fi
}

from_npm() { (cd tests/sdk && npm ci --ignore-scripts --no-audit --no-fund); }
# The folder whose requirements.txt it is, and a module that must load.
from_pypi() {
  python3 -m venv "$into/$1" && "$into/$1/bin/pip" install --no-deps -r "tests/sdk/$1/requirements.txt" &&
    "$into/$1/bin/python" -c "import $2"
}
from_go() { (cd tests/sdk/go && GOFLAGS=-mod=readonly go build -o "$into/go" .); }
from_crates() { (cd tests/sdk/rust && CARGO_TARGET_DIR="$into/rust" cargo build --locked); }
from_maven() {
  (cd tests/sdk/java && mvn -q -B -DbuildDirectory="$into/java" compile dependency:build-classpath \
    -Dmdep.outputFile="$into/java.classpath") </dev/null
}

echo "installing"
# The harness itself needs npm's folder; without it nothing runs.
if ! from_npm >"$into/npm.log" 2>&1; then
  tail -n 20 "$into/npm.log"
  echo "0 passed, 1 failed"
  exit 1
fi
for name in node node-11 browser otel otel-protobuf python curl; do
  if wants "$name"; then chosen="$chosen $name"; fi
done
prepare python-pypi python3 from_pypi python sentry_sdk
prepare go go from_go
prepare rust cargo from_crates
prepare java mvn from_maven
export PICKET_SDK_PYTHON="$into/python/bin/python"
export PICKET_SDK_GO="$into/go"
export PICKET_SDK_RUST="$into/rust/debug/picket-sdk-test"
PICKET_SDK_JAVA=$into/java/classes:$(cat "$into/java.classpath" 2>/dev/null)
export PICKET_SDK_JAVA
files=${chosen:+matrix.test.mjs}
sdks=$chosen
prepare relay python3 from_pypi relay sentry_relay.auth
[ "$chosen" = "$sdks" ] || files="$files managed.test.mjs"
export PICKET_SDK_RELAY="$into/relay/bin/python"

if [ -n "$files" ]; then
  # shellcheck disable=SC2086
  (cd tests/sdk && PICKET_SDKS=$sdks node --test --test-reporter=tap $files) >"$into/matrix.log" 2>&1
else
  printf '# pass 0\n# fail 0\n' >"$into/matrix.log"
fi
passed=$(sed -n 's/^# pass \([0-9]*\)$/\1/p' "$into/matrix.log" | tail -n 1)
failed=$(sed -n 's/^# fail \([0-9]*\)$/\1/p' "$into/matrix.log" | tail -n 1)
if [ -z "$passed" ] || [ -z "$failed" ]; then
  tail -n 60 "$into/matrix.log"
  passed=0
  failed=1
elif [ "$failed" -ne 0 ]; then
  grep -vE '^ *(duration_ms|type:|---|\.\.\.)' "$into/matrix.log" | tail -n 300
fi
sed -nE 's/^ *((not )?ok) [0-9]+ - (.*)/\1 \3/p' "$into/matrix.log" | grep -vE '^ok (issues|runs to its end|visible|releases)$'
if [ -n "$missing" ]; then printf 'could not be run:\n%s' "$missing"; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
