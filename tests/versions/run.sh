#!/bin/sh
# Any version runs on any other's data: builds several, and walks upgrades, skips of versions and downgrades over one
# data folder, stopped and killed with traffic before and after each exchange, and all data compared.
#   sh tests/versions/run.sh                     what the file schemas lists, and what is checked out
#   sh tests/versions/run.sh COMMIT…             those, oldest first, and what is checked out
#   PICKET_CURRENT=build/release/picket          a binary of what is checked out, instead of building one; its
#   PICKET_SCRIPTED_UPSTREAM=build/asan/picket_scripted_upstream    is beside it if nothing else is said
# Each is built once, into build/versions/COMMIT. The last line is the plain count; exit code 69 when this clone does not
# go back far enough.
set -eu
cd "$(dirname "$0")/../.."
if [ $# -eq 0 ]; then
  # A list and not tags: it is the same in each clone, and changes with the code.
  # shellcheck disable=SC2046
  set -- $(sed -n 's/^\(schema-[0-9]*\) \([0-9a-f]*\)$/\1=\2/p' tests/versions/schemas)
  for each in "$@"; do
    git cat-file -e "${each#*=}^{commit}" 2>/dev/null && continue
    echo "skipped: this clone has no commit ${each#*=} (${each%=*}); fetch it with git fetch --unshallow"
    echo "0 passed, 0 failed"
    exit 69
  done
fi

mkdir -p build/versions
steps=""
for each in "$@"; do
  name=${each%=*}
  commit=$(git rev-parse --short=12 --verify "${each#*=}^{commit}") || { echo "no commit $each" >&2; exit 64; }
  folder=$PWD/build/versions/$commit
  if [ ! -x "$folder/picket" ]; then
    echo "building $name ($commit)"
    began=$(date +%s)
    tree=$folder/tree
    rm -rf "$folder"
    git worktree prune
    git worktree add -q --detach "$tree" "$commit"
    if (cd "$tree" && cmake --preset release && cmake --build build/release --target picket) >"$folder.log" 2>&1; then
      cp "$tree/build/release/picket" "$folder/picket"
      git worktree remove --force "$tree"
      echo "built in $(($(date +%s) - began)) s"
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
  { cmake --preset bench && cmake --build build/bench --target picket picket_scripted_upstream; } >build/versions/current.log 2>&1 ||
    { tail -n 40 build/versions/current.log; echo "0 passed, 1 failed"; exit 1; }
  current=build/bench/picket
fi
PICKET_SCRIPTED_UPSTREAM=${PICKET_SCRIPTED_UPSTREAM:-$(dirname "$current")/picket_scripted_upstream}
export PICKET_SCRIPTED_UPSTREAM
[ -x "$PICKET_SCRIPTED_UPSTREAM" ] || { echo "no $PICKET_SCRIPTED_UPSTREAM; build it, or name it with PICKET_SCRIPTED_UPSTREAM" >&2; exit 64; }
# shellcheck disable=SC2086
exec node tests/versions/walk.mjs $steps "current=$current"
