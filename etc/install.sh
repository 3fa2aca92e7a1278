#!/bin/sh
# Installs the built binary as a systemd service: `sudo sh etc/install.sh` after `sh etc/run.sh` has
# built it. An existing /etc/picket/picket.toml is kept.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "run as root: sudo sh etc/install.sh" >&2; exit 64; }
[ -x build/release/picket ] || { echo "not built yet: run sh etc/run.sh first" >&2; exit 69; }

install -D -m 0755 -s build/release/picket /usr/local/bin/picket
[ -e /etc/picket/picket.toml ] || install -D -m 0644 etc/picket.toml /etc/picket/picket.toml
install -D -m 0755 etc/upgrade.sh /usr/local/lib/picket/upgrade.sh
install -D -m 0644 systemd/picket.service /etc/systemd/system/picket.service
install -D -m 0644 systemd/picket.socket /etc/systemd/system/picket.socket
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl enable --now picket.socket picket.service
  echo "running; the DSN: sudo picket dsn --storage /var/lib/picket"
else
  echo "installed; systemd is not running here, so nothing was started"
fi
