#!/bin/sh
# Installs those Debian packages that are missing: `sh etc/packages.sh build` or `… tests`.
set -eu

build="g++ cmake ninja-build ccache pkg-config libboost1.81-dev libboost-json1.81-dev liblmdb-dev
libcurl4-openssl-dev libzstd-dev libtomlplusplus-dev libssl-dev libprotobuf-dev protobuf-compiler
libsimdjson-dev zlib1g-dev libdeflate-dev libbrotli-dev liblzma-dev libbz2-dev libre2-dev libmaxminddb-dev tzdata ca-certificates curl"
tests="libgtest-dev libbenchmark-dev clang-16 libclang-rt-16-dev systemd openssl python3 python3-sentry-sdk
python3-jsonschema chromium jq git iproute2"

case "${1:-build}" in
  build) wanted=$build ;;
  tests) wanted="$build $tests"
         # Node.js may come from elsewhere; Debian's is taken where there is none.
         command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || wanted="$wanted nodejs npm" ;;
  *) echo "usage: sh etc/packages.sh build|tests" >&2; exit 64 ;;
esac

missing=""
for package in $wanted; do
  [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || { echo "these packages are missing and need root to install:$missing" >&2; exit 69; }
  as_root=sudo
fi
echo "installing:$missing" >&2
$as_root apt-get update -qq >&2
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >&2
