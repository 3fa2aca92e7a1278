#!/bin/sh
# Exchanges the binary of a running Picket, sees that the new one gets well, and goes back by itself when
# it does not. Nothing that was acknowledged is lost either way: both binaries read the same data folder.
#
#   sudo sh etc/upgrade.sh NEW_BINARY       exchange
#   sudo sh etc/upgrade.sh --rollback       back to the binary before the last exchange
#
#   --binary FILE    the one that the service runs         /usr/local/bin/picket
#   --storage DIR    its data folder                       /var/lib/picket
#   --config FILE    its configuration                     /etc/picket/picket.toml
#   --url URL        where it answers                      http://127.0.0.1:3000
#   --restart CMD    restarts the service                  systemctl restart picket.service
#   --wait SECONDS   until it must be ready                60
#
# What happened when is in `picket version history`; `picket version lock` makes this script refuse.
# Exit codes: 0 done; 1 not exchanged, and the binary of before runs (refused, or rolled back); 64 wrong
# usage; 69 something needed is not there; 74 neither binary gets well; 78 the new binary cannot be run, or
# does not take the configuration.
set -u

new=
binary=/usr/local/bin/picket
storage=/var/lib/picket
config=/etc/picket/picket.toml
url=http://127.0.0.1:3000
restart='systemctl restart picket.service'
wait=60
rollback=no

say() { echo "upgrade: $*"; }
stop() { # exit code, words
  code=$1
  shift
  echo "upgrade: $*" >&2
  exit "$code"
}

while [ $# -gt 0 ]; do
  case $1 in
    --binary | --storage | --config | --url | --restart | --wait)
      [ $# -ge 2 ] || stop 64 "$1 needs a value"
      case $1 in
        --binary) binary=$2 ;;
        --storage) storage=$2 ;;
        --config) config=$2 ;;
        --url) url=${2%/} ;;
        --restart) restart=$2 ;;
        --wait) wait=$2 ;;
      esac
      shift 2 ;;
    --rollback) rollback=yes; shift ;;
    --help | -h) sed -n '2,/^set -u/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) stop 64 "no option $1; see sh $0 --help" ;;
    *) [ -z "$new" ] || stop 64 "one binary, not two"; new=$1; shift ;;
  esac
done
case $wait in '' | *[!0-9]*) stop 64 "--wait takes seconds" ;; esac
if [ "$rollback" = yes ]; then
  [ -z "$new" ] || stop 64 "--rollback takes no binary"
  new=$binary.previous
  [ -e "$new" ] || stop 1 "there is no binary of before: $new"
fi
[ -n "$new" ] || stop 64 "which binary? see sh $0 --help"
[ -f "$new" ] || stop 64 "no file $new"
[ -x "$binary" ] || stop 69 "no binary $binary to be exchanged; sh etc/install.sh installs one"
[ -d "$storage" ] || stop 69 "no data folder $storage"
if command -v curl >/dev/null; then
  ask() { curl -fsSk -m 5 -o /dev/null "$1" 2>/dev/null; }
elif command -v wget >/dev/null; then
  ask() { wget -q -T 5 -t 1 --no-check-certificate -O /dev/null "$1" 2>/dev/null; }
else
  stop 69 "neither curl nor wget is there to see whether the service is well"
fi

# One at a time. A lock that a killed run has left is taken over.
mutex=$binary.upgrading
if ! mkdir "$mutex" 2>/dev/null; then
  other=$(cat "$mutex/pid" 2>/dev/null || echo)
  if [ -n "$other" ] && kill -0 "$other" 2>/dev/null; then stop 69 "another upgrade is under way (process $other)"; fi
  rm -rf "$mutex"
  mkdir "$mutex" 2>/dev/null || stop 69 "another upgrade is under way"
fi
echo $$ >"$mutex/pid"
work=$(mktemp -d) || stop 74 "no temporary folder"
trap 'rm -rf "$mutex" "$work"' EXIT

to_disk() { sync "$1" 2>/dev/null || sync; }

# A binary's version, schema and checksum by tabs; fails when it cannot be run.
identify() { # binary
  "$1" version --json --config "$work/none.toml" >"$work/version" 2>"$work/why" || return 1
  grep -q '"version":.*"schema":' "$work/version" || { echo "it is no Picket" >"$work/why"; return 1; }
  sed -n 's/.*"version":"\([^"]*\)","schema":\([0-9]*\).*/\1	\2/p' "$work/version" | head -n 1 | tr -d '\n'
  printf '\t'
  sum=$(sed -n 's/.*"binary":"\([0-9a-f]*\)".*/\1/p' "$work/version")
  printf '%s' "${sum:--}"
}

# As `picket serve` writes it (versions of the data folder).
note() { # what, version TAB schema TAB checksum, words
  [ -e "$storage/versions" ] || { : >"$storage/versions" && chown --reference="$storage" "$storage/versions" 2>/dev/null; }
  printf '%s\t%s\t%s\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$2" "$3" >>"$storage/versions"
}

: >"$work/none.toml"
[ ! -e "$storage/version.lock" ] || stop 1 "refused: the version is locked ($(cut -f 6 "$storage/version.lock")); picket version unlock --storage $storage"
# Copied first: what is checked is what is installed.
next=$binary.next
cp "$new" "$next" && chmod 755 "$next" || stop 74 "cannot write $next"
new_is=$(identify "$next") || { rm -f "$next"; stop 78 "$new cannot be run here: $(head -n 3 "$work/why")"; }
old_is=$(identify "$binary") || old_is="-	-	-"
if [ -e "$config" ] && ! "$next" config check --config "$config" >"$work/why" 2>&1; then
  rm -f "$next"
  stop 78 "the new binary does not take $config: $(cat "$work/why")"
fi
new_sum=${new_is##*	}
if [ "$new_sum" != - ] && [ "$new_sum" = "${old_is##*	}" ]; then
  rm -f "$next"
  say "$binary is that binary already"
  exit 0
fi

# True when the service was ready three times in a row within the time, and the process that answers has
# noted the checksum that is wanted (not asked of a version that notes none).
becomes_well() { # checksum
  end=$(($(date +%s) + wait))
  well=0
  while :; do
    running=$(sed -n 's/^[^	]*	started	[^	]*	[^	]*	\([^	]*\)	.*/\1/p' "$storage/versions" 2>/dev/null | tail -n 1)
    if { [ "$1" = - ] || [ "$running" = "$1" ]; } && ask "$url/api/relay/healthcheck/ready/"; then well=$((well + 1)); else well=0; fi
    [ "$well" -lt 3 ] || return 0
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 1
  done
}

go_back() { # reason
  say "$1: going back to the binary of before"
  trap '' INT TERM HUP
  cp -p "$binary.previous" "$next" && to_disk "$next" && mv -f "$next" "$binary" || stop 74 "cannot put $binary.previous back; do it by hand"
  sh -c "$restart" || say "the restart command failed"
  if becomes_well "${old_is##*	}"; then
    note rolled-back "$old_is" "$1"
    stop 1 "rolled back: $1. The binary of before runs and is ready"
  fi
  note rollback-failed "$old_is" "$1"
  stop 74 "rolled back, but $url does not get ready either; see its log"
}

note upgrading "$new_is" "from $(echo "$old_is" | cut -f 1,3 | tr '\t' ' ')"
cp -p "$binary" "$binary.before" && to_disk "$binary.before" && mv -f "$binary.before" "$binary.previous" || stop 74 "cannot keep $binary as $binary.previous"
trap 'go_back "interrupted"' INT TERM HUP
to_disk "$next" && mv -f "$next" "$binary" || stop 74 "cannot replace $binary"
say "$binary is exchanged, restarting"
sh -c "$restart" || go_back "the restart command failed"
becomes_well "$new_sum" || go_back "not ready within $wait s"
trap '' INT TERM HUP
note upgraded "$new_is" "from $(echo "$old_is" | cut -f 1,3 | tr '\t' ' ')"
say "$(echo "$new_is" | cut -f 1) runs and is ready; the binary of before is $binary.previous"
