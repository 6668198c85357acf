#!/usr/bin/env bash
# usage: python.sh VENV: make the virtual environment of this checkout, with the pinned versions.
# Needs Debian's python3 (3.11 or newer); installs python3-venv by apt when it is missing.
set -euo pipefail
venv=${1:?usage: $0 VENV}
cd "$(dirname "$0")/../.."
say() { printf 'vigie: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "needs root or sudo for: $*"; fi
}

python=${VIGIE_PYTHON:-python3}
if ! command -v "$python" >/dev/null || ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  [ -z "${VIGIE_PYTHON:-}" ] || fail "VIGIE_PYTHON=$python is no Python with the modules venv and ensurepip"
  say "installing python3 and python3-venv"
  as_root apt-get -qq update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3 python3-venv >/dev/null
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed; set VIGIE_PYTHON to one"
# One that was interrupted halfway has no pip: it is made anew.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  say "making the virtual environment in $venv"
  "$python" -m venv --clear "$venv"
fi
say "installing Python packages (about a minute the first time)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' ||
  fail "Python packages could not be installed; the reason stands above. Repeat the command when it is mended."
touch "$venv/.complete"
