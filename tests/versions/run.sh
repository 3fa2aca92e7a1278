#!/bin/sh
# Any version runs on any other's data: builds several, and walks upgrades, skips of versions and downgrades
# over one data folder, with traffic before and after each step and all data compared.
#   sh tests/versions/run.sh                     every tag schema-*, and what is checked out
#   sh tests/versions/run.sh COMMIT…             those, oldest first, and what is checked out
#   PICKET_CURRENT=build/asan/picket             a binary of what is checked out, instead of building one
# Each is built once, into build/versions/COMMIT. The last line is the plain count.
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- $(git tag --list 'schema-*' --sort=creatordate)
[ $# -gt 0 ] || { echo "no tags schema-* and no commits given: nothing to walk to" >&2; exit 64; }

mkdir -p build/versions
steps=""
for name in "$@"; do
  commit=$(git rev-parse --short=12 --verify "$name^{commit}") || { echo "no commit $name" >&2; exit 64; }
  folder=$PWD/build/versions/$commit
  if [ ! -x "$folder/picket" ]; then
    echo "building $name ($commit)"
    tree=$folder/tree
    rm -rf "$folder"
    git worktree prune
    git worktree add -q --detach "$tree" "$commit"
    if (cd "$tree" && cmake --preset release && cmake --build build/release --target picket) >"$folder.log" 2>&1; then
      cp "$tree/build/release/picket" "$folder/picket"
      git worktree remove --force "$tree"
    else
      git worktree remove --force "$tree"
      tail -n 40 "$folder.log"
      echo "0 passed, 1 failed"
      exit 1
    fi
  fi
  steps="$steps $name=$folder/picket"
done

current=${PICKET_CURRENT:-}
if [ -z "$current" ]; then
  echo "building what is checked out"
  { cmake --preset release && cmake --build build/release --target picket; } >build/versions/current.log 2>&1 ||
    { tail -n 40 build/versions/current.log; echo "0 passed, 1 failed"; exit 1; }
  current=build/release/picket
fi
# shellcheck disable=SC2086
exec node tests/versions/walk.mjs $steps "current=$current"
