#!/bin/sh
# Removes what etc/install.sh installed. Data (/var/lib/picket) and configuration (/etc/picket) stay
# unless `--purge` is given.
set -eu
[ "$(id -u)" -eq 0 ] || { echo "run as root: sudo sh etc/uninstall.sh" >&2; exit 64; }
if [ -d /run/systemd/system ]; then
  systemctl disable --now picket.service picket.socket || true
fi
rm -rf /usr/local/lib/picket
rm -f /usr/local/bin/picket /usr/local/bin/picket.previous /etc/systemd/system/picket.service /etc/systemd/system/picket.socket
[ ! -d /run/systemd/system ] || systemctl daemon-reload
if [ "${1:-}" = "--purge" ]; then
  rm -rf /etc/picket /var/lib/picket /var/lib/private/picket
fi
