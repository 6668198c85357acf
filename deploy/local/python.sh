#!/usr/bin/env bash
# usage: python.sh VENV: make the virtual environment of this checkout, with the pinned versions.
# Needs Debian's python3 (3.11 or newer); installs python3-venv by apt when it is missing.
set -euo pipefail
venv=${1:?usage: $0 VENV}
say() { printf 'vigie: %s\n' "$*"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else say "needs root or sudo for: $*" >&2; exit 1; fi; }

python=${VIGIE_PYTHON:-python3}
if ! command -v "$python" >/dev/null || ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  say "installing python3 and python3-venv"
  as_root apt-get -qq update && as_root apt-get -qq install -y --no-install-recommends python3 python3-venv >/dev/null
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "Python 3.11 or newer is needed; set VIGIE_PYTHON to one" >&2; exit 1; }
[ -x "$venv/bin/python" ] || { say "making the virtual environment in $venv"; "$python" -m venv "$venv"; }
say "installing Python packages (about a minute the first time)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
touch "$venv/.complete"
