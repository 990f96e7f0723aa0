#!/bin/sh
# Installs @LABEL@, or upgrades it in place:   sh install.sh [--folder DIR] [--no-service]
# Removes it, and what it has not sent yet:    sh install.sh uninstall [--folder DIR]
set -eu

here=$PWD
cd "$(dirname "$0")"

say() { printf '@LABEL@: %s\n' "$*" >&2; }

check() {
  if command -v sha256sum >/dev/null; then sha256sum -c SHA256SUMS; else shasum -a 256 -c SHA256SUMS; fi
}

if ! checked=$(check 2>&1); then
  printf '%s\n' "$checked" | grep -v ': OK$' >&2 || :
  say "this archive was changed or is not complete: nothing is installed. Download it again."
  exit 1
fi

python=
for name in python3 python3.14 python3.13 python3.12 python3.11; do
  if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$name
    break
  fi
done
if [ -z "$python" ]; then
  say "Python 3.11 or newer is needed. On Debian 12, Ubuntu 24.04, Raspberry Pi OS and newer: apt-get install python3 python3-venv"
  exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  say "$python has no module venv. On Debian, Ubuntu and Raspberry Pi OS: apt-get install python3-venv"
  exit 1
fi

export PYTHONDONTWRITEBYTECODE=1
exec "$python" -m edge_connector.install --label '@LABEL@' --here "$here" "$@"
