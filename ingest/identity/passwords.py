"""Passwords for devices without certificates, hashed as Mosquitto 2.0 reads them."""

from __future__ import annotations

import base64
import hashlib
import secrets

# 160 bits of chance cannot be guessed offline however cheap the hash; so the hash stays cheap for
# the broker, whose one thread computes it at each connect. Mosquitto's own default is 101 too.
PASSWORD_BYTES = 20
ITERATIONS = 101
# Mosquitto 2.0.11 takes a salt of exactly 12 bytes; later versions take any.
SALT_BYTES = 12


def new_password() -> str:
    """Make a password: letters, digits, `-` and `_`, which no shell or configuration page minds."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def hashed(password: str) -> str:
    """Hash a password for a Mosquitto password file: `$7$` is PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
