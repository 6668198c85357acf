"""Certificates, requests and revocation lists as X.509 has them. Pure: no file, no clock.

P-256 with SHA-256 throughout: small enough for a microcontroller, and every TLS library has it
(RFC 5480, RFC 8422). A device's certificate says one thing, its id, in the common name.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ingest.identity.errors import EnrolmentRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
# Random, so that no certificate's number tells of another; RFC 5280 allows 20 octets.
SERIAL_BITS = 128
# Certificates and lists are valid a little before they were made: the reader's clock may be slow.
BACKDATED = timedelta(hours=1)
# The smallest RSA that NIST SP 800-57 part 1 still admits for new signatures.
RSA_BITS = 2048
# A host's name as DNS has it (RFC 1123), and as containers are called; 64 fit into a common name.
HOST = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*", re.ASCII)


class Signer(NamedTuple):
    """The authority: its own certificate, and the key which signs."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def until(self) -> datetime:
        """Until when it can sign at all (UTC); nothing that it issues is valid for longer."""
        return self.certificate.not_valid_after_utc


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def new_serial() -> int:
    """Make the number of a certificate: random, never 0."""
    return 1 + secrets.randbelow(2**SERIAL_BITS - 1)


def authority(name: str, start: datetime, until: datetime) -> Signer:
    """Make a self-signed authority which can issue for devices and brokers, not for authorities."""
    key = new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = _usage(signs_certificates=True)
    certificate = (
        _builder(subject, subject, key.public_key(), start, until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Signer(certificate, key)


def for_device(
    signer: Signer, device: str, key: PublicKey, start: datetime, until: datetime
) -> x509.Certificate:
    """Sign a device's certificate; its common name is the user name and client id at the broker."""
    return _leaf(signer, device, key, (start, until), ExtendedKeyUsageOID.CLIENT_AUTH, ())


def for_server(
    signer: Signer, hosts: Sequence[str], key: PublicKey, start: datetime, until: datetime
) -> x509.Certificate:
    """Sign a broker's certificate for the names and addresses by which devices call it."""
    names = [_general(host) for host in hosts]
    return _leaf(signer, hosts[0], key, (start, until), ExtendedKeyUsageOID.SERVER_AUTH, names)


def hosts(certificate: x509.Certificate) -> list[str]:
    """Read the names and addresses of a broker's certificate."""
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [
        *found.get_values_for_type(x509.DNSName),
        *(str(address) for address in found.get_values_for_type(x509.IPAddress)),
    ]


def is_host(text: str) -> bool:
    """Whether this is a name or an address by which a broker can be called.

    >>> [is_host(one) for one in ("broker.example", "192.0.2.7", "::1", "a b", "", "é.example")]
    [True, True, True, False, False, False]
    """
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return HOST.fullmatch(text) is not None
    return True


class Revoked(NamedTuple):
    """A line of the revocation list."""

    serial: int
    since: datetime
    reason: x509.ReasonFlags


def revocation_list(
    signer: Signer, number: int, revoked: Iterable[Revoked], start: datetime, until: datetime
) -> x509.CertificateRevocationList:
    """Sign the list of certificates that no longer count, to be renewed before `until`."""
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.certificate.subject)
        # Backdated as certificates are: to a broker whose clock is slow, a list of its future is no
        # list at all, and it would refuse every device.
        .last_update(start - BACKDATED)
        .next_update(until)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_issuer_id(signer), critical=False)
    )
    for one in revoked:
        entry = x509.RevokedCertificateBuilder(one.serial, one.since)
        if one.reason is not x509.ReasonFlags.unspecified:  # RFC 5280 5.3.1: then left out
            entry = entry.add_extension(x509.CRLReason(one.reason), critical=False)
        made = made.add_revoked_certificate(entry.build())
    return made.sign(signer.key, hashes.SHA256())


def made(revocations: x509.CertificateRevocationList) -> datetime:
    """Say when the list was made (UTC)."""
    return revocations.last_update_utc + BACKDATED


def number(revocations: x509.CertificateRevocationList) -> int:
    """Read the list's own number; each new list has a higher one."""
    return revocations.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def requested_key(request: bytes, device: str) -> PublicKey:
    """Read the key of a device's own signing request (PEM). Raises EnrolmentRefused.

    Nothing else of the request is taken over: what a certificate may do is the authority's to say.
    """
    try:
        csr = x509.load_pem_x509_csr(request)
        valid = csr.is_signature_valid
        key = csr.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise EnrolmentRefused("the request is not a PEM signing request that we know") from None
    if not valid:
        raise EnrolmentRefused("the request's signature is not of its own key")
    names = [str(one.value) for one in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [device]:
        said = " and ".join(f"`{name}`" for name in names) or "none"
        raise EnrolmentRefused(f"the request's common name must be `{device}`, and it is {said}")
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1):
            raise EnrolmentRefused(f"a key on curve {key.curve.name}: only P-256 is taken")
        return key
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < RSA_BITS:
            raise EnrolmentRefused(f"an RSA key of {key.key_size} bits: at least {RSA_BITS}")
        return key
    raise EnrolmentRefused("the request's key is neither P-256 nor RSA")


def pem(one: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    """Write a certificate or a revocation list as PEM."""
    return one.public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> bytes:
    """Write a private key as PKCS #8 PEM, encrypted when there is a passphrase."""
    how: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def _leaf(
    signer: Signer,
    name: str,
    key: PublicKey,
    valid: tuple[datetime, datetime],
    purpose: x509.ObjectIdentifier,
    names: Sequence[x509.GeneralName],
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start, until = valid
    made = (
        _builder(subject, signer.certificate.subject, key, start, min(until, signer.until))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(_issuer_id(signer), critical=False)
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(signer.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, start: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(new_serial())
        .not_valid_before(start - BACKDATED)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer_id(signer: Signer) -> x509.AuthorityKeyIdentifier:
    own = signer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
