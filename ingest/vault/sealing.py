"""Who a patient is, encrypted before it reaches the database: keys, seals, and blind indexes.

Envelope encryption: each patient has a random *data key* that seals the identity (AES-256-GCM), and
the *vault key* of the site, which is never in the database, wraps the data keys. Deleting a wrapped
data key makes its identity unreadable for ever, in every copy of it. A seal is bound to its patient
and its field, so a row that was swapped or copied in the database does not open.

A random *root*, wrapped in the same way, is kept for what must stay the same when the vault key is
renewed: the blind index by which an INS is found, and the pseudonyms' marks in proofs.

    VigieError
    ├── VaultKeyMissing   final   no vault key is set
    ├── WrongVaultKey     final   what is stored was sealed under another key
    └── SealBroken        final   bytes that were changed, swapped, or never a seal
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ingest.ports import SettingError, VigieError

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
# The nonce of AES-GCM as NIST SP 800-38D recommends it. A data key seals a handful of times and a
# vault key wraps one key per patient: far below the 2^32 random nonces that are safe for one key.
NONCE_BYTES = 12
# The first byte of everything sealed. A later format takes the next number and still opens this.
FORMAT = b"\x01"
_SETTING = "VIGIE_VAULT_KEY"


class VaultKeyMissing(SettingError):
    """No vault key is set, so no identity can be sealed or read."""

    def __init__(self) -> None:
        super().__init__(
            f"{_SETTING} (or {_SETTING}_FILE) is not set; `vigie identity new-key` prints a new key"
        )


class WrongVaultKey(VigieError):
    """The vault key is not the one under which the identities were sealed."""

    def __init__(self) -> None:
        super().__init__(
            f"{_SETTING} is not the key under which the identities are sealed: set that one"
        )


class SealBroken(VigieError):
    """What is stored does not open: it was changed, swapped with another row, or is no seal."""

    def __init__(self) -> None:
        super().__init__("a sealed entry of the vault was changed or swapped: it does not open")


def new_key() -> str:
    """Make a vault key: 32 random bytes, in base64."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


class Vault:
    """Seals and opens under one vault key; holds no patient.

    Raises VaultKeyMissing for an empty text, and SettingError for one that is no key.

    >>> vault = Vault(new_key())
    >>> wrapped = vault.new_data_key("p-1")
    >>> sealed = vault.seal(wrapped, "p-1", "identity", b"who it is")
    >>> vault.open(wrapped, "p-1", "identity", sealed)
    b'who it is'
    """

    def __init__(self, key: str) -> None:
        if not key:
            raise VaultKeyMissing
        raw = _decoded(key)
        self._wrap = AESGCM(_derived(raw, "wrap"))
        # Names the key without telling anything of it; which key wrapped a row is no secret.
        self.version = _derived(raw, "version")[:8].hex()

    def __repr__(self) -> str:
        return f"Vault(version={self.version})"

    def new_data_key(self, patient: str) -> bytes:
        """Make a patient's data key, wrapped: the form in which it is kept."""
        return self._wrapped(os.urandom(KEY_BYTES), _bound("key", patient))

    def seal(self, wrapped: bytes, patient: str, field: str, clear: bytes) -> bytes:
        """Encrypt what `field` of the patient holds. Raises SealBroken as `open` does."""
        return _sealed(AESGCM(self._data_key(wrapped, patient)), clear, _bound(field, patient))

    def open(self, wrapped: bytes, patient: str, field: str, sealed: bytes) -> bytes:
        """Decrypt. Raises SealBroken when key or seal are not those of this patient and field."""
        return _opened(AESGCM(self._data_key(wrapped, patient)), sealed, _bound(field, patient))

    def rewrap(self, wrapped: bytes, patient: str, old: Vault) -> bytes:
        """Wrap a data key of the vault key `old` under this one. Raises SealBroken."""
        return self._wrapped(old._data_key(wrapped, patient), _bound("key", patient))

    def new_root(self) -> bytes:
        """Make the site's root, wrapped; there is one, for ever."""
        return self._wrapped(os.urandom(KEY_BYTES), _bound("root", ""))

    def rewrap_root(self, wrapped: bytes, old: Vault) -> bytes:
        """Wrap the root of the vault key `old` under this one. Raises SealBroken."""
        return self._wrapped(old._root(wrapped), _bound("root", ""))

    def marks(self, wrapped_root: bytes) -> Marks:
        """Open the root, for keyed marks. Raises SealBroken."""
        return Marks(self._root(wrapped_root))

    def _wrapped(self, key: bytes, bound: bytes) -> bytes:
        return _sealed(self._wrap, key, bound)

    def _data_key(self, wrapped: bytes, patient: str) -> bytes:
        return _opened(self._wrap, wrapped, _bound("key", patient))

    def _root(self, wrapped: bytes) -> bytes:
        return _opened(self._wrap, wrapped, _bound("root", ""))


class Marks:
    """Keyed hashes (HMAC-SHA-256): equal for equal texts, and telling nothing without the key.

    A plain hash would not do: there are few enough INS and pseudonyms to try them all.
    """

    def __init__(self, root: bytes) -> None:
        self._index = _derived(root, "index")
        self._proof = _derived(root, "proof")

    def index(self, field: str, value: str) -> bytes:
        """Mark a value for finding it again, such as the field `ins`."""
        return hmac.digest(self._index, _bound(field, value), sha256)

    def proof(self, patient: str) -> bytes:
        """Mark an erased patient's pseudonym in what must survive it: audit and consents."""
        return hmac.digest(self._proof, _bound("patient", patient), sha256)


def from_file(path: Path) -> Vault:
    """Open the vault under a key that is kept in a file. Raises SettingError."""
    try:
        return Vault(path.read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError):
        raise SettingError(f"{path}: cannot be read as a vault key") from None


def _decoded(key: str) -> bytes:
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise SettingError(
            f"{_SETTING} must be {KEY_BYTES} bytes in base64; `vigie identity new-key` prints one"
        )
    return raw


def _derived(key: bytes, use: str) -> bytes:
    """One key per use (RFC 5869), so that what one use shows tells nothing of another."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"vigie/vault/1/{use}".encode()).derive(key)


def _bound(field: str, patient: str) -> bytes:
    # No field holds NUL, so no other pair of field and patient comes to the same bytes.
    return b"\x00".join((b"vigie/vault/1", field.encode(), patient.encode()))


def _sealed(key: AESGCM, clear: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return FORMAT + nonce + key.encrypt(nonce, clear, bound)


def _opened(key: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    if not sealed.startswith(FORMAT):
        raise SealBroken
    nonce, rest = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return key.decrypt(nonce, rest, bound)
    except (InvalidTag, ValueError):  # ValueError: too short for a nonce
        raise SealBroken from None
