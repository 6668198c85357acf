"""Under which account the servers run, and what that account can reach.

PostgreSQL refuses to run as root, and no server needs to; so when we are root, servers run as
`nobody`. Otherwise they run as whoever started them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from pathlib import Path

SERVERS = "nobody"


def servers_account() -> str | None:
    """Give the account for servers, or None when it is our own."""
    return SERVERS if os.geteuid() == 0 else None


def can_reach(folder: Path) -> bool:
    """Whether the servers' account may walk into `folder` (which need not exist yet)."""
    if servers_account() is None:
        return True
    folder = folder.resolve()
    return all(
        stat.S_IXOTH & path.stat().st_mode for path in (folder, *folder.parents) if path.exists()
    )


def give(path: Path) -> Path:
    """Make the servers' account the owner of `path`; nothing changes when that is us."""
    account = servers_account()
    if account is not None:
        entry = pwd.getpwnam(account)
        shutil.chown(path, entry.pw_uid, entry.pw_gid)
    return path


def own_folder(path: Path) -> Path:
    """Make `path` a folder which the servers' account alone can read."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return give(path)


def opt_folder(checkout: Path) -> Path:
    """Give the folder of installed software: VIGIE_OPT, the checkout's, or /var/lib/vigie/opt."""
    named = os.environ.get("VIGIE_OPT")
    if named:
        return Path(named).resolve()
    inside = checkout / ".vigie" / "opt"
    return inside if can_reach(inside) else Path("/var/lib/vigie/opt")
