#!/usr/bin/env bash
# The whole suite in two halves at once: what needs real servers mostly waits for them, so types, unit and
# contract tests run beside it on the other core. Fails if either half does; `make test` calls it.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=${1:-.venv/bin}
said=$(mktemp)
beside=
cleanup() {
  [ -z "$beside" ] || kill "$beside" 2>/dev/null
  rm -f "$said"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

echo "== types, unit and contract tests run beside; their words come at the end"
# exec: so that a kill of this process ends the test run itself. A shell has what it runs beside ignore SIGINT,
# and tests press Ctrl-C.
{ "$bin/mypy" && exec env --default-signal=INT "$bin/pytest" -q -p no:cacheprovider -m "not servers and not chaos"; } >"$said" 2>&1 &
beside=$!
echo "== all tests on real servers"
"$bin/pytest" -m "servers or chaos"
on_servers=$?
echo "== types, unit and contract tests"
wait "$beside"
without=$?
beside=
cat "$said"
if [ "$on_servers" != 0 ] || [ "$without" != 0 ]; then
  echo "vigie: tests failed: on real servers $on_servers, types, unit and contract tests $without (0 means passed)" >&2
  exit 1
fi
