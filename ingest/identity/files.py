"""Files that nobody else may read, and that are never half written."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE, SHARED = 0o600, 0o644


def replace(
    path: Path, content: bytes, mode: int = PRIVATE, *, owner_of: Path | None = None
) -> None:
    """Write a file so that a reader finds the old content or the new one, also after a crash.

    With `owner_of`, and as root, the file gets the owner of that folder: the broker's account, say.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if owner_of is not None and os.geteuid() == 0:
                owner = owner_of.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def hand_out(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Write a file for a device. It can be made again, so no disk is waited for."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    beside.replace(path)


def sync_folder(folder: Path) -> None:
    """Let the folder's new names survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
