"""Certificates and passwords for devices, made and replaced. The registry is not asked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.identity import certificates, passwords
from ingest.identity.errors import EnrolmentRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    from ingest.identity.authority import Authority
    from ingest.identity.certificates import PublicKey

FOR_GOOD = "`{0}` was revoked, which is for good: enrol it by a new id"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A device that shall come in: its id, its model in the health store, its software's version.

    `request` is the device's own signing request (PEM); None means that its key is made here.
    """

    device: str
    model: str
    version: str | None = None
    request: bytes | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What a device comes in with: a certificate, with its key if that was made here; a password.

    One of certificate and password is there.
    """

    device: str
    certificate: x509.Certificate | None = None
    key: ec.EllipticCurvePrivateKey | None = None
    password: str | None = None


def sign(
    authority: Authority, wanted: Sequence[Wanted], *, life: timedelta, password: bool
) -> list[Given]:
    """Make what devices come in with; it counts once `record` has it. Raises EnrolmentRefused."""
    if password:
        return [Given(one.device, password=passwords.new_password()) for one in wanted]
    keys = {one.device: certificates.new_key() for one in wanted if one.request is None}
    asked: list[tuple[str, PublicKey]] = [
        (
            one.device,
            keys[one.device].public_key()
            if one.request is None
            else certificates.requested_key(one.request, one.device),
        )
        for one in wanted
    ]
    return [
        Given(device, certificate, keys.get(device))
        for device, certificate in authority.sign(asked, life)
    ]


def record(authority: Authority, given: Sequence[Given]) -> None:
    """Let the broker know what was made."""
    signed = [(one.device, one.certificate) for one in given if one.certificate is not None]
    if signed:
        authority.record(signed)
    hidden = [(one.device, one.password) for one in given if one.password is not None]
    if hidden:
        authority.record_passwords(hidden)


def rotate(
    authority: Authority,
    device: str,
    *,
    life: timedelta,
    overlap: timedelta,
    password: bool = False,
    request: bytes | None = None,
) -> Given:
    """Give an enrolled device a new certificate, or password; the old one ends after the overlap.

    A password ends an earlier one at once: the broker knows one per device. `life` is for how long
    the new certificate is valid. Raises EnrolmentRefused.
    """
    if not authority.of(device):
        raise EnrolmentRefused(f"`{device}` is not enrolled: `vigie devices enroll` does it")
    if device in authority.ended():
        raise EnrolmentRefused(FOR_GOOD.format(device))
    wanted = [Wanted(device, "", None, request)]
    (given,) = sign(authority, wanted, life=life, password=password)
    authority.replace(device, authority.now + overlap)
    record(authority, [given])
    return given
