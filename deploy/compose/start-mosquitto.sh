#!/bin/sh
# Mosquitto wants a hashed password file; the secret is plain text, so hash it in memory (/tmp is a tmpfs).
set -eu
umask 077
mosquitto_passwd -c -b /tmp/passwords gateway "$(cat /run/secrets/mqtt_password)"

# The authority is in another container and cannot signal this one: look what it has written, and have
# Mosquitto read that again. `$$` is this shell, and Mosquitto once it has taken its place.
written() { cat /mosquitto/identity/* | cksum; }
known=$(written)
while sleep 2 && kill -0 $$; do
    new=$(written)
    [ "$new" = "$known" ] || kill -HUP $$
    known=$new
done &
exec mosquitto -c /mosquitto/config/mosquitto.conf
