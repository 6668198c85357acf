"""What the broker reads, handed over to it; and the broker told to read it again."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.identity import files

if TYPE_CHECKING:
    from collections.abc import Mapping

# The authority's file, and its name in the broker's folder. The authority's own key is not here.
HANDED: Mapping[str, str] = {
    "ca.crt": "ca.crt",
    "ca.crl": "ca.crl",
    "server.crt": "server.crt",
    "server.key": "server.key",
    "passwords": "device-passwords",
}
PID_FILE = "mosquitto.pid"
PROGRAM = "mosquitto"
# Mosquitto forgets a SIGHUP that comes while it obeys an earlier one (loop.c clears the mark when
# all is read), which takes it some milliseconds: so it is said twice.
AGAIN_SECONDS = 0.3


def hand_over(authority: Path, folder: str) -> str:
    """Give the broker what changed and have it read that; returns a sentence for the operator.

    New connections only: a device that is connected stays so until it connects again. An empty
    `folder` means that the broker is elsewhere: then the sentence says what to do there.
    """
    if not folder:
        return (
            f"the broker does not know yet: copy ca.crl and passwords from {authority} to it, and "
            "send it SIGHUP (`systemctl reload mosquitto`); VIGIE_MQTT_FOLDER does it from here"
        )
    if not copy(authority, Path(folder)):
        return "the broker knows already"
    if reload(Path(folder)):
        return "the broker reads it again now"
    return (
        f"the broker is not seen from here: it reads {folder} when it starts, and at a SIGHUP "
        "(that of deploy/compose.yaml notices by itself)"
    )


def copy(authority: Path, folder: Path) -> bool:
    """Copy what differs into the broker's folder, for its account alone; whether any did."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    changed = False
    for source, name in HANDED.items():
        content = (authority / source).read_bytes()
        target = folder / name
        if not target.exists() or target.read_bytes() != content:
            files.replace(target, content, owner_of=folder)
            changed = True
    return changed


def reload(folder: Path) -> bool:
    """Send SIGHUP to the broker whose pid file is in this folder; whether there was one."""
    if not _signal(folder):
        return False
    time.sleep(AGAIN_SECONDS)
    return _signal(folder)


def _signal(folder: Path) -> bool:
    with suppress(OSError, ValueError):
        pid = int((folder / PID_FILE).read_text(encoding="ascii"))
        # The number may be of another program by now: a broker that was killed leaves its file.
        if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == PROGRAM:
            os.kill(pid, signal.SIGHUP)
            return True
    return False
