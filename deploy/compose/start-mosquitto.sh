#!/bin/sh
# Mosquitto wants a hashed password file; the secret is plain text, so hash it in memory (/tmp is a tmpfs).
set -eu
umask 077
mosquitto_passwd -c -b /tmp/passwords gateway "$(cat /run/secrets/mqtt_password)"
exec mosquitto -c /mosquitto/config/mosquitto.conf
