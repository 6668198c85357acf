"""A broker's address as a device has it, with what it proves itself by."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client  # noqa: TID251 (the simulated device is paho's one user here)
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: TID251 (as above)
from paho.mqtt.packettypes import PacketTypes  # noqa: TID251 (as above)
from paho.mqtt.properties import Properties  # noqa: TID251 (as above)

from ingest.ports import SettingError

if TYPE_CHECKING:
    from pathlib import Path

# The broker keeps a device's session over a short absence, and calls it lost after a while of it.
SESSION_SECONDS, LOST_AFTER_SECONDS = 3600, 60
PORTS = {"mqtt": 1883, "mqtts": 8883}


class Address(NamedTuple):
    """Where the broker is. `files` are the authority's, the device's own and its key's: PEM.

    With a password and no `user`, the device's own name is its user name.
    """

    host: str
    port: int
    user: str | None
    password: str | None
    secure: bool
    files: tuple[Path, ...] = ()

    def client(self, device: str) -> Client:
        """Make an MQTT 5 client that has its password or certificates. Raises SettingError."""
        client = Client(CallbackAPIVersion.VERSION2, device, protocol=MQTTProtocolVersion.MQTTv5)
        if self.user is not None or self.password is not None:
            client.username_pw_set(self.user or device, self.password)
        if self.secure:
            authority, certificate, key = (*map(str, self.files), None, None, None)[:3]
            try:
                client.tls_set(authority, certificate, key, cert_reqs=ssl.CERT_REQUIRED)
            except OSError as error:
                what = self.files[0].parent if self.files else "the system's authorities"
                raise SettingError(f"{what}: {error.strerror or 'no certificate'}") from None
        return client


def address(url: str, credentials: Path | None) -> Address:
    """Read an address and say what belongs to it. Raises SettingError.

    `url` is mqtt://host:port or mqtts://host:port, with user:password@ for a device that comes in
    so. `credentials` is the folder that the site gave to the device: `ca.crt` with `client.crt` and
    `client.key`, or with `password`.

    >>> address("mqtt://127.0.0.1:1883", None)[:3]
    ('127.0.0.1', 1883, None)
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise SettingError("the devices' broker must be mqtt://host:port or mqtts://host:port")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if password is None and credentials is not None and (credentials / "password").is_file():
        password = (credentials / "password").read_text(encoding="utf-8").strip()
    secure = parts.scheme == "mqtts"
    if secure and credentials is None and password is None:
        raise SettingError("mqtts:// needs a folder with each device's certificate, or a password")
    names = ("ca.crt",) if password else ("ca.crt", "client.crt", "client.key")
    files = tuple(credentials / name for name in names) if credentials is not None else ()
    port = parts.port or PORTS[parts.scheme]
    return Address(parts.hostname, port, user, password, secure, files)


def lasting() -> tuple[Properties, Properties]:
    """Make the properties of CONNECT and of the Will: a session that lasts, a Will that waits."""
    session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own
    session.SessionExpiryInterval = SESSION_SECONDS
    will = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]  # as above
    will.WillDelayInterval = LOST_AFTER_SECONDS
    return session, will
