"""A small authority in a folder: it issues, replaces and revokes what devices come in with.

The folder has `ca.crt`, `ca.key` (0600, encrypted when a passphrase is set), the broker's
`server.crt` and `server.key`, the index `issued.jsonl`, and what is made of the index: `ca.crl` and
`passwords`. The index is written before anything that it names leaves the folder, so there is no
certificate that cannot be revoked.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ingest.identity import certificates, files, index, passwords
from ingest.identity.certificates import Revoked, Signer
from ingest.identity.errors import AuthorityMissing, AuthorityUnusable
from ingest.identity.index import Issued, Reason
from ingest.ports import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from ingest.identity.certificates import PublicKey
    from ingest.ports import Clock

AUTHORITY_YEARS = 10
AUTHORITY_LIFE = timedelta(days=365 * AUTHORITY_YEARS + 2)
# 397 days is the longest that browsers trust a server's certificate (CA/Browser Forum, SC-31).
SERVER_LIFE = timedelta(days=397)
# An expired list locks every device out, and each command renews it: it may as well be long.
LIST_LIFE = timedelta(days=180)
# What `init --if-missing` and `renew` leave alone: a list or broker certificate with so much left.
LIST_SPARE = timedelta(days=90)
SERVER_SPARE = timedelta(days=60)
# Warned of so early, in `vigie devices list` and by the metric's rule.
WARNED = timedelta(days=30)
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
REASONS = {
    Reason.COMPROMISED: x509.ReasonFlags.key_compromise,
    Reason.REPLACED: x509.ReasonFlags.superseded,
    Reason.RETIRED: x509.ReasonFlags.cessation_of_operation,
    Reason.WITHDRAWN: x509.ReasonFlags.privilege_withdrawn,
    Reason.UNSPECIFIED: x509.ReasonFlags.unspecified,
}


class Authority:
    """An authority that was read from its folder; `opened` gives it alone to one command.

    Parameters
    ----------
    folder : Path
        Where it is kept.
    passphrase : bytes
        Of `ca.key`; empty when that is not encrypted. It is asked for when something is signed.
    clock : Clock
        For the moments from and until which certificates are valid.
    """

    def __init__(self, folder: Path, passphrase: bytes = b"", clock: Clock | None = None) -> None:
        self.folder = folder
        self._passphrase = passphrase
        self._clock = clock or SystemClock()
        self._signer: Signer | None = None
        self.certificate = _certificate(folder / "ca.crt")
        self.issued = index.read(folder / "issued.jsonl")

    @property
    def now(self) -> datetime:
        """The present moment, to the second as certificates have it (UTC)."""
        return self._clock.now().replace(microsecond=0)

    @property
    def server(self) -> x509.Certificate:
        """The broker's certificate. Raises AuthorityMissing."""
        return _certificate(self.folder / "server.crt")

    @property
    def revocations(self) -> x509.CertificateRevocationList:
        """The list of revoked certificates in force. Raises AuthorityMissing."""
        return x509.load_pem_x509_crl(_read(self.folder / "ca.crl"))

    def ends(self) -> dict[str, datetime]:
        """Say until when authority, revocation list and broker's certificate hold (UTC)."""
        listed = self.revocations.next_update_utc
        assert listed is not None  # noqa: S101 (we always write one)
        return {
            "authority": self.certificate.not_valid_after_utc,
            "revocations": listed,
            "server": self.server.not_valid_after_utc,
        }

    def of(self, device: str) -> list[Issued]:
        """Give what was ever issued to a device, oldest first."""
        return [one for one in self.issued if one.device == device]

    def counting(self) -> set[str]:
        """Name the devices that the broker lets in now."""
        now = self.now
        return {one.device for one in self.issued if one.counts(now)}

    def ended(self) -> set[str]:
        """Name the devices that were revoked for good."""
        newest = {one.device: one.reason for one in self.issued}
        return {name for name, why in newest.items() if why not in {None, Reason.REPLACED}}

    def sign(
        self, keys: Iterable[tuple[str, PublicKey]], life: timedelta
    ) -> list[tuple[str, x509.Certificate]]:
        """Make certificates of devices; they count once `record` has them. AuthorityUnusable."""
        signer, now = self._open(), self.now
        return [
            (device, certificates.for_device(signer, device, key, now, now + life))
            for device, key in keys
        ]

    def record(self, made: Iterable[tuple[str, x509.Certificate]]) -> None:
        """Take signed certificates into the index."""
        self.issued += [
            Issued(
                device,
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
                f"{certificate.serial_number:032x}",
            )
            for device, certificate in made
        ]
        self.save()

    def record_passwords(self, made: Iterable[tuple[str, str]]) -> None:
        """Take passwords into the index, by their hash. An earlier one of a device ends."""
        now, new = self.now, list(made)
        names = {device for device, _ in new}
        self._end(
            lambda one: one.device in names and one.password is not None, now, Reason.REPLACED
        )
        self.issued += [
            Issued(device, now, password=passwords.hashed(password)) for device, password in new
        ]
        self.save()

    def replace(self, device: str, until: datetime) -> None:
        """Let all that a device has end at a moment; the next `record` writes it down."""
        self._end(lambda one: one.device == device, until, Reason.REPLACED)

    def revoke(self, device: str, reason: Reason) -> int:
        """End all that a device has, now and for good; returns how much that was."""
        ended = self._end(lambda one: one.device == device, self.now, reason)
        self.save()
        return ended

    def save(self) -> None:
        """Write the index, then the revocation list and the passwords which follow from it."""
        now, signer = self.now, self._open()
        index.write(self.folder / "issued.jsonl", self.issued)
        revoked = [
            Revoked(int(one.serial, 16), one.revoked, REASONS[one.reason or Reason.UNSPECIFIED])
            for one in self.issued
            # One that has expired is refused for that, also by a clock that is a little slow; the
            # list need not grow for ever.
            if one.serial and one.revoked and one.revoked <= now and one.until
            if one.until + certificates.BACKDATED > now
        ]
        path = self.folder / "ca.crl"
        number = certificates.number(self.revocations) + 1 if path.exists() else 1
        until = min(now + LIST_LIFE, signer.until)
        made = certificates.revocation_list(signer, number, revoked, now, until)
        files.replace(path, certificates.pem(made), files.SHARED)
        lines = [
            f"{one.device}:{one.password}\n"
            for one in self.issued
            if one.password is not None and one.counts(now)
        ]
        files.replace(self.folder / "passwords", "".join(lines).encode())

    def renew(self, hosts: Sequence[str] = (), *, spare: bool = False) -> list[str]:
        """Renew the broker's certificate and the revocation list; returns what was renewed.

        `hosts` are the names and addresses by which devices call the broker; empty keeps those of
        the certificate in force. With `spare`, only what is missing, changes, or ends soon.
        """
        now, done = self.now, []
        if not spare or not self._has_server(hosts, now + SERVER_SPARE):
            self._new_server(hosts, now)
            done.append("the broker's certificate")
        if not spare or self._due(now):
            self.save()
            done.append("the revocation list")
        return done

    def _due(self, now: datetime) -> bool:
        """Whether the revocation list ends soon, or a rotation's overlap has ended since."""
        if not (self.folder / "ca.crl").exists() or not (self.folder / "passwords").exists():
            return True
        listed = self.revocations
        ends = listed.next_update_utc
        return (
            ends is None
            or ends < now + LIST_SPARE
            or any(
                one.revoked is not None and certificates.made(listed) < one.revoked <= now
                for one in self.issued
            )
        )

    def _has_server(self, hosts: Sequence[str], moment: datetime) -> bool:
        if not (self.folder / "server.crt").exists():
            return False
        server = self.server
        named = not hosts or set(hosts) == set(certificates.hosts(server))
        fits = _is_key_of(self.folder / "server.key", server)
        return named and fits and server.not_valid_after_utc > moment

    def _new_server(self, hosts: Sequence[str], now: datetime) -> None:
        path = self.folder / "server.crt"
        names = list(hosts) or (
            certificates.hosts(self.server) if path.exists() else list(LOCAL_HOSTS)
        )
        key = certificates.new_key()
        made = certificates.for_server(
            self._open(), names, key.public_key(), now, now + SERVER_LIFE
        )
        files.replace(self.folder / "server.key", certificates.key_pem(key))
        files.replace(path, certificates.pem(made), files.SHARED)

    def _end(self, which: _Which, moment: datetime, reason: Reason) -> int:
        """Let these end at a moment, unless they end sooner already; returns how many."""
        ended = 0
        for place, one in enumerate(self.issued):
            if which(one) and (one.revoked is None or one.revoked > moment):
                changed = msgspec.structs.replace(one, revoked=moment, reason=reason)
                self.issued[place] = changed
                ended += 1
        return ended

    def _open(self) -> Signer:
        """Take out the key. Raises AuthorityUnusable."""
        if self._signer is None:
            if self.certificate.not_valid_after_utc <= self.now:
                raise AuthorityUnusable(
                    f"the authority in {self.folder} ended on "
                    f"{self.certificate.not_valid_after_utc:%Y-%m-%d}: make a new one in another "
                    "folder, and enrol the devices again"
                )
            self._signer = Signer(self.certificate, _key(self.folder, self._passphrase))
        return self._signer


if TYPE_CHECKING:
    from collections.abc import Callable

    _Which = Callable[[Issued], bool]


def create(folder: Path, name: str, passphrase: bytes = b"", clock: Clock | None = None) -> None:
    """Make a new authority in a folder. Raises AuthorityUnusable when there is one already."""
    if exists(folder):
        raise AuthorityUnusable(f"{folder} has an authority already; `vigie authority show` it")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = (clock or SystemClock()).now().replace(microsecond=0)
    signer = certificates.authority(name, now, now + AUTHORITY_LIFE)
    # The key first: a certificate without its key would look like an authority.
    files.replace(folder / "ca.key", certificates.key_pem(signer.key, passphrase))
    files.replace(folder / "ca.crt", certificates.pem(signer.certificate), files.SHARED)


def exists(folder: Path) -> bool:
    """Whether an authority was made in this folder."""
    return (folder / "ca.crt").exists()


@contextmanager
def opened(
    folder: Path, passphrase: bytes = b"", clock: Clock | None = None
) -> Iterator[Authority]:
    """Open the authority for one command at a time; the next one waits. Raises AuthorityMissing."""
    if not exists(folder):
        raise AuthorityMissing(f"no authority in {folder}: `vigie authority init` makes one")
    with locked(folder):
        yield Authority(folder, passphrase, clock)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other commands out of the folder, which is made when it is missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AuthorityMissing(f"{path} cannot be read: {error.strerror}") from None


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError:
        raise AuthorityUnusable(f"{path} is not a certificate") from None


def _is_key_of(path: Path, certificate: x509.Certificate) -> bool:
    """Whether this is the certificate's key: a renewal can be cut short between the two files."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return False
    return key.public_key() == certificate.public_key()


def _key(folder: Path, passphrase: bytes) -> ec.EllipticCurvePrivateKey:
    content = _read(folder / "ca.key")
    encrypted = b"ENCRYPTED" in content.partition(b"\n")[0]
    if encrypted and not passphrase:
        raise AuthorityUnusable(f"{folder}/ca.key is encrypted: set VIGIE_AUTHORITY_KEY_FILE")
    try:
        key: PrivateKeyTypes = serialization.load_pem_private_key(
            content, passphrase if encrypted else None
        )
    except (ValueError, TypeError):
        raise AuthorityUnusable(f"VIGIE_AUTHORITY_KEY does not open {folder}/ca.key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityUnusable(f"{folder}/ca.key is not a P-256 key")
    return key
