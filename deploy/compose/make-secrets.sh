#!/bin/sh
# Make the passwords that compose.yaml mounts, once: those which are there stay.
# The folder is for its owner alone; the files can be read by all, because each container reads its own
# as a user of its own, and reaches no other.
set -eu
cd "$(dirname "$0")/secrets"
chmod 700 .

chance() { od -An -N 24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { # keep FILE TEXT
    [ -e "$1" ] && return
    printf '%s' "$2" >"$1.new"
    chmod 444 "$1.new"
    mv "$1.new" "$1"
}

for name in mqtt_password database_password grafana_password; do
    keep "$name" "$(chance)"
done
keep mqtt_url "mqtt://gateway:$(cat mqtt_password)@mosquitto:1884"
keep database_url "postgresql://vigie:$(cat database_password)@timescaledb:5432/vigie"
echo "The secrets are in $PWD"
