"""The authority keeps its word: what it issues, what it ends, and who may read its files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ingest.identity import authority as authorities
from ingest.identity import certificates, index, issuing
from ingest.identity.authority import Authority, opened
from ingest.identity.errors import AuthorityMissing, AuthorityUnusable, EnrolmentRefused
from ingest.identity.index import Reason, State
from ingest.identity.issuing import Given, Wanted

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
DAY = timedelta(days=1)
LIFE = 397 * DAY


@dataclass
class At:
    """A clock that stands still until it is set."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> At:
    return At(NOW)


@pytest.fixture
def folder(tmp_path: Path, clock: At) -> Path:
    made = tmp_path / "authority"
    authorities.create(made, "Vigie", clock=clock)
    with opened(made, clock=clock) as authority:
        authority.renew(spare=True)
    return made


@pytest.fixture
def authority(folder: Path, clock: At) -> Authority:
    return Authority(folder, clock=clock)


def give(authority: Authority, device: str, *, password: bool = False) -> Given:
    (given,) = issuing.sign(authority, [Wanted(device, "m")], life=LIFE, password=password)
    issuing.record(authority, [given])
    return given


def given_certificate(authority: Authority, device: str) -> x509.Certificate:
    certificate = give(authority, device).certificate
    assert certificate is not None
    return certificate


def listed(authority: Authority) -> set[int]:
    return {one.serial_number for one in authority.revocations}


def test_a_device_s_certificate_says_its_id_and_that_it_is_a_client_s(
    authority: Authority,
) -> None:
    made = given_certificate(authority, "dev-1")
    assert made.subject.rfc4514_string() == "CN=dev-1"
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert isinstance(key := made.public_key(), ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert made.not_valid_after_utc == NOW + LIFE
    assert made.not_valid_before_utc == NOW - timedelta(hours=1)
    made.verify_directly_issued_by(authority.certificate)


def test_a_device_s_certificate_makes_no_other_certificate(authority: Authority) -> None:
    made = given_certificate(authority, "dev-1")
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    own = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (own.ca, own.path_length) == (True, 0)


def test_serial_numbers_are_random_and_fit_into_128_bits() -> None:
    serials = {certificates.new_serial() for _ in range(1000)}
    assert len(serials) == 1000
    assert all(0 < serial < 2**128 for serial in serials)
    assert max(serials).bit_length() > 120


def test_nothing_is_valid_for_longer_than_the_authority(
    folder: Path, clock: At, authority: Authority
) -> None:
    clock.moment = authority.certificate.not_valid_after_utc - DAY
    assert given_certificate(authority, "dev-1").not_valid_after_utc == (
        authority.certificate.not_valid_after_utc
    )
    clock.moment += 2 * DAY
    with pytest.raises(AuthorityUnusable, match="ended on"):
        give(Authority(folder, clock=clock), "dev-2")


def test_the_broker_s_certificate_names_where_devices_call_it(
    folder: Path, clock: At, authority: Authority
) -> None:
    assert certificates.hosts(authority.server) == ["localhost", "127.0.0.1", "::1"]
    before = authority.server.serial_number
    assert authority.renew(["broker.example", "192.0.2.7"], spare=True) == [
        "the broker's certificate"
    ]
    assert certificates.hosts(authority.server) == ["broker.example", "192.0.2.7"]
    # Its names stay when it is renewed because its end is near.
    clock.moment += authorities.SERVER_LIFE - DAY
    assert "the broker's certificate" in Authority(folder, clock=clock).renew(spare=True)
    assert certificates.hosts(authority.server) == ["broker.example", "192.0.2.7"]
    assert authority.server.serial_number != before


@pytest.mark.parametrize("left", ["another's", "nothing"])
def test_a_renewal_that_was_cut_short_between_key_and_certificate_is_made_good(
    folder: Path, authority: Authority, left: str
) -> None:
    if left == "nothing":
        (folder / "server.key").unlink()
    else:
        (folder / "server.key").write_bytes(certificates.key_pem(certificates.new_key()))
    assert authority.renew(spare=True) == ["the broker's certificate"]
    key = serialization.load_pem_private_key((folder / "server.key").read_bytes(), None)
    assert key.public_key() == authority.server.public_key()


def test_a_list_counts_for_a_broker_whose_clock_is_slow(authority: Authority, clock: At) -> None:
    assert authority.revocations.last_update_utc <= clock.moment - certificates.BACKDATED
    assert certificates.made(authority.revocations) == clock.moment


def test_a_revoked_certificate_is_in_the_list_with_its_reason(authority: Authority) -> None:
    made = given_certificate(authority, "dev-1")
    other = given_certificate(authority, "dev-2")
    assert authority.revoke("dev-1", Reason.COMPROMISED) == 1
    assert listed(authority) == {made.serial_number}
    (entry,) = authority.revocations
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is (
        x509.ReasonFlags.key_compromise
    )
    assert authority.revocations.is_signature_valid(authority.certificate.public_key())  # type: ignore[arg-type]  # it is a P-256 key
    assert authority.counting() == {"dev-2"}
    assert other.serial_number not in listed(authority)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_can_be_written_into_the_list(authority: Authority, reason: Reason) -> None:
    made = given_certificate(authority, "dev-1")
    authority.revoke("dev-1", reason)
    assert listed(authority) == {made.serial_number}


def test_each_list_has_a_higher_number_and_a_new_end(authority: Authority, clock: At) -> None:
    first = authority.revocations
    clock.moment += DAY
    authority.save()
    second = authority.revocations
    assert certificates.number(second) == certificates.number(first) + 1
    assert second.next_update_utc == clock.moment + authorities.LIST_LIFE


def test_what_has_expired_leaves_the_list(authority: Authority, clock: At) -> None:
    give(authority, "dev-1")
    authority.revoke("dev-1", Reason.RETIRED)
    clock.moment += LIFE + DAY
    authority.save()
    assert listed(authority) == set()
    assert [one.state(clock.moment) for one in authority.of("dev-1")] == [State.REVOKED]


def test_a_list_that_is_still_long_valid_is_left_alone(authority: Authority, clock: At) -> None:
    assert authority.renew(spare=True) == []
    clock.moment += authorities.LIST_LIFE - authorities.LIST_SPARE + DAY
    assert authority.renew(spare=True) == ["the revocation list"]


def test_after_a_rotation_both_count_until_the_overlap_ends(
    authority: Authority, clock: At
) -> None:
    old = given_certificate(authority, "dev-1")
    issuing.rotate(authority, "dev-1", life=LIFE, overlap=7 * DAY)
    states = [one.state(clock.moment) for one in authority.of("dev-1")]
    assert (states, listed(authority)) == ([State.REPLACED, State.VALID], set())
    clock.moment += 7 * DAY
    assert authority.renew(spare=True) == ["the revocation list"]
    assert listed(authority) == {old.serial_number}
    assert authority.renew(spare=True) == []


def test_a_rotation_does_not_lengthen_an_earlier_overlap(authority: Authority, clock: At) -> None:
    give(authority, "dev-1")
    issuing.rotate(authority, "dev-1", life=LIFE, overlap=1 * DAY)
    issuing.rotate(authority, "dev-1", life=LIFE, overlap=7 * DAY)
    ends = [one.revoked for one in authority.of("dev-1")]
    assert ends == [clock.moment + DAY, clock.moment + 7 * DAY, None]


def test_a_revocation_ends_an_overlap_too(authority: Authority) -> None:
    give(authority, "dev-1")
    issuing.rotate(authority, "dev-1", life=LIFE, overlap=7 * DAY)
    assert authority.revoke("dev-1", Reason.COMPROMISED) == 2
    assert len(listed(authority)) == 2


def test_a_device_that_was_revoked_gets_nothing_more(authority: Authority) -> None:
    give(authority, "dev-1")
    authority.revoke("dev-1", Reason.RETIRED)
    with pytest.raises(EnrolmentRefused, match="revoked, which is for good"):
        issuing.rotate(authority, "dev-1", life=LIFE, overlap=DAY)
    with pytest.raises(EnrolmentRefused, match="is not enrolled"):
        issuing.rotate(authority, "dev-2", life=LIFE, overlap=DAY)


def test_a_new_password_ends_the_one_before_at_once(authority: Authority, folder: Path) -> None:
    first = give(authority, "dev-1", password=True)
    second = issuing.rotate(authority, "dev-1", life=LIFE, overlap=7 * DAY, password=True)
    assert first.password != second.password
    (line,) = (folder / "passwords").read_text(encoding="ascii").splitlines()
    assert line == f"dev-1:{authority.issued[-1].password}"
    authority.revoke("dev-1", Reason.RETIRED)
    assert (folder / "passwords").read_text(encoding="ascii") == ""


def test_a_password_is_kept_nowhere_but_with_the_device(authority: Authority, folder: Path) -> None:
    password = give(authority, "dev-1", password=True).password
    assert password is not None
    assert len(password) >= 26
    for file in folder.iterdir():
        assert password not in file.read_text(encoding="utf-8")


def test_what_was_issued_is_there_for_the_next_command(authority: Authority, folder: Path) -> None:
    give(authority, "dev-1")
    give(authority, "dev-2", password=True)
    authority.revoke("dev-1", Reason.WITHDRAWN)
    assert Authority(folder).issued == authority.issued


def test_a_damaged_index_is_told_by_its_line(folder: Path) -> None:
    (folder / "issued.jsonl").write_text('{"device": "d"}\n', encoding="ascii")
    with pytest.raises(AuthorityUnusable, match=r"issued\.jsonl, line 1: .*`from`"):
        Authority(folder)


def test_nobody_else_reads_the_authority_s_files(folder: Path) -> None:
    private = {"ca.key", "server.key", "issued.jsonl", "passwords"}
    assert folder.stat().st_mode & 0o077 == 0
    for name in private:
        assert (folder / name).stat().st_mode & 0o177 == 0, name
    assert not [file for file in folder.iterdir() if file.name.startswith(".")]


def test_the_key_can_be_encrypted_and_opens_with_its_passphrase_only(
    tmp_path: Path, clock: At
) -> None:
    folder = tmp_path / "authority"
    authorities.create(folder, "Vigie", b"open sesame", clock)
    with opened(folder, b"open sesame", clock) as authority:
        authority.renew(spare=True)
        give(authority, "dev-1")
    with pytest.raises(AuthorityUnusable, match="is encrypted: set VIGIE_AUTHORITY_KEY_FILE"):
        give(Authority(folder, clock=clock), "dev-2")
    with pytest.raises(AuthorityUnusable, match="VIGIE_AUTHORITY_KEY does not open"):
        give(Authority(folder, b"wrong", clock), "dev-2")
    # What signs nothing needs no passphrase.
    assert Authority(folder, clock=clock).counting() == {"dev-1"}


def test_an_authority_is_made_once(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AuthorityUnusable, match="has an authority already"):
        authorities.create(folder, "Vigie")
    with (
        pytest.raises(AuthorityMissing, match="`vigie authority init` makes one"),
        opened(tmp_path / "nothing"),
    ):
        pass


def test_a_file_that_is_no_certificate_is_told(folder: Path) -> None:
    (folder / "ca.crt").write_text("nothing", encoding="ascii")
    with pytest.raises(AuthorityUnusable, match="is not a certificate"):
        Authority(folder)


def request(name: str | None, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(certificates.new_key(), id="P-256"),
        pytest.param(rsa.generate_private_key(65537, 2048), id="RSA of 2048 bits"),
    ],
)
def test_a_device_may_keep_its_own_key(
    authority: Authority, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
) -> None:
    wanted = [Wanted("dev-1", "m", request=request("dev-1", key))]
    (given,) = issuing.sign(authority, wanted, life=LIFE, password=False)
    assert given.key is None
    assert given.certificate is not None
    assert given.certificate.public_key() == key.public_key()


def test_a_request_gets_nothing_but_its_key_signed(authority: Authority) -> None:
    key = certificates.new_key()
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dev-1")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    wanted = [Wanted("dev-1", "m", request=greedy)]
    (given,) = issuing.sign(authority, wanted, life=LIFE, password=False)
    assert given.certificate is not None
    assert not given.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        pytest.param(b"nothing", "not a PEM signing request", id="no request"),
        pytest.param(
            request("dev-2", certificates.new_key()),
            "common name must be `dev-1`, and it is `dev-2`",
            id="of another device",
        ),
        pytest.param(request(None, certificates.new_key()), "it is none", id="of nobody"),
        pytest.param(
            request("dev-1", ec.generate_private_key(ec.SECP384R1())),
            "curve secp384r1: only P-256",
            id="another curve",
        ),
        pytest.param(
            request("dev-1", rsa.generate_private_key(65537, 1024)),  # noqa: S505 (to be refused)
            "RSA key of 1024 bits: at least 2048",
            id="a short RSA key",
        ),
        pytest.param(
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dev-1")]))
            .sign(ed25519.Ed25519PrivateKey.generate(), None)
            .public_bytes(serialization.Encoding.PEM),
            "neither P-256 nor RSA",
            id="another kind of key",
        ),
    ],
)
def test_a_request_that_is_wrong_is_refused(authority: Authority, bad: bytes, why: str) -> None:
    wanted = [Wanted("dev-1", "m", request=bad)]
    with pytest.raises(EnrolmentRefused, match=why):
        issuing.sign(authority, wanted, life=LIFE, password=False)
    assert authority.issued == []


def test_a_request_with_another_key_s_signature_is_refused(authority: Authority) -> None:
    good = x509.load_pem_x509_csr(request("dev-1", certificates.new_key()))
    raw = bytearray(good.public_bytes(serialization.Encoding.DER))
    raw[-3] ^= 1
    try:
        forged = x509.load_der_x509_csr(bytes(raw)).public_bytes(serialization.Encoding.PEM)
    except ValueError:
        pytest.fail("the forged request must still be one")
    wanted = [Wanted("dev-1", "m", request=forged)]
    with pytest.raises(EnrolmentRefused, match="signature is not of its own key"):
        issuing.sign(authority, wanted, life=LIFE, password=False)


def test_the_index_says_how_each_stands_at_a_moment() -> None:
    one = index.Issued("d", NOW, NOW + DAY, "01", revoked=NOW + DAY / 2, reason=Reason.REPLACED)
    assert one.state(NOW) is State.REPLACED
    assert one.state(NOW + DAY / 2) is State.REVOKED
    assert index.Issued("d", NOW, NOW + DAY, "01").state(NOW + DAY) is State.EXPIRED
    assert index.Issued("d", NOW, serial="01").state(NOW + 9999 * DAY) is State.VALID
