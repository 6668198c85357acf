"""The state folder: ports, passwords and data of what we started, kept between starts."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local import accounts, ports
from deploy.local.errors import NotOurs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RECORD = "servers.json"
# A unix socket's path is at most 107 bytes on Linux (unix(7)); supervisord appends its pid to it.
SOCKET_PATH_BYTES = 90


@dataclass(slots=True)
class Record:
    """What `servers.json` holds. It has passwords, so only its owner may read it.

    `addresses` are the settings that were given out, for each all values there ever were: a shell
    that has sourced the `env` file hands them back.
    """

    home: str = ""
    throwaway: bool = False
    brokers: int = 0
    ports: dict[str, int] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, list[str]] = field(default_factory=dict)


def checkout() -> Path:
    """Give the folder that holds `deploy/`, or the current one for an installed wheel."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").exists() else Path.cwd()


def default_folder() -> Path:
    """Give the state folder of `vigie up`: `VIGIE_STATE`, or `.vigie` in the checkout."""
    return Path(os.environ.get("VIGIE_STATE") or checkout() / ".vigie")


def write_private(path: Path, text: str) -> None:
    """Write `text` so that nobody but the owner can read it, not even for an instant."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)


class State:
    """One state folder, opened: where things are, and what must be the same at the next start.

    Parameters
    ----------
    folder : Path
        Made when it is missing.
    throwaway : bool
        For tests: any free ports instead of the usual ones, data in memory where there is
        `/dev/shm`, and everything deleted when it is stopped.
    """

    def __init__(self, folder: Path, *, throwaway: bool = False) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / RECORD
        if path.exists():
            self.record = Record(**json.loads(path.read_text(encoding="utf-8")))
            if throwaway and not self.record.throwaway:
                raise NotOurs(f"{self.folder} holds servers that are kept: not used for tests.")
        else:
            self.record = Record(throwaway=throwaway)

    @property
    def logs(self) -> Path:
        """The folder of all logs; supervisord rotates them."""
        return self.folder / "logs"

    @property
    def programs(self) -> Path:
        """The folder with one supervisord section per program."""
        return self.folder / "programs"

    @property
    def socket(self) -> Path:
        """Where supervisord listens: in the state folder, unless that path is too long for it."""
        inside = self.folder / "supervisor.sock"
        if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES:
            return inside
        return Path(tempfile.gettempdir()) / f"vigie-{os.getuid()}-{self.short_name}.sock"

    @property
    def short_name(self) -> str:
        """Eight characters which stand for this folder in names outside of it."""
        return hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:8]

    @property
    def home(self) -> Path:
        """Where the servers keep their data: a folder which their account can reach."""
        if not self.record.home:
            self.record.home = str(self._new_home())
            self.save()
        home = Path(self.record.home)
        if not self.record.throwaway and home not in {self.folder, self._outside()}:
            # Its data may be in use under the old name.
            raise NotOurs(f"{self.folder} is a copy, or was moved; its data lies in {home}.")
        if not home.exists():
            home.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            home.mkdir()
            home.chmod(0o755)  # mkdir heeds the umask, and the servers' account must get in
        return home

    @property
    def is_elsewhere(self) -> bool:
        """Whether the data lies outside of the state folder."""
        return bool(self.record.home) and self.folder != Path(self.record.home)

    def port(self, name: str, usual: int) -> int:
        """Give the port called `name`, the same as last time where it can still be had.

        Call it for servers that do not run now: a port which is in use counts as taken.
        """
        others = {port for other, port in self.record.ports.items() if other != name}
        wish = self.record.ports.get(name, None if self.record.throwaway else usual)
        self.record.ports[name] = ports.choose(wish, taken=others)
        return self.record.ports[name]

    def password(self, name: str) -> str:
        """Give the password called `name`, made once with 128 bits of chance.

        Kept at once: a database made with a password that a failed start forgot would be lost.
        """
        if name not in self.record.passwords:
            self.record.passwords[name] = secrets.token_hex(16)
            self.save()
        return self.record.passwords[name]

    def give_out(self, settings: Mapping[str, str]) -> None:
        """Remember addresses as ours, so that no later start takes them for the site's own."""
        for key, value in settings.items():
            known = self.record.addresses.setdefault(key, [])
            if value not in known:
                known.append(value)

    def save(self) -> None:
        """Keep all this for the next start."""
        write_private(
            self.folder / RECORD, json.dumps(asdict(self.record), indent=1, sort_keys=True) + "\n"
        )

    def forget(self) -> None:
        """Delete the data and the record of a throwaway state. A kept one is never deleted."""
        if not self.record.throwaway:
            return
        if self.record.home:
            shutil.rmtree(self.record.home, ignore_errors=True)
        (self.folder / RECORD).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one start or stop at a time work on this folder; the second one waits."""
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _new_home(self) -> Path:
        if self.record.throwaway:
            memory = Path("/dev/shm")  # noqa: S108  # data of tests belongs into memory
            where = memory if os.access(memory, os.W_OK) else None
            made = Path(tempfile.mkdtemp(prefix="vigie-", dir=where))
            made.chmod(0o755)
            return made
        if accounts.can_reach(self.folder):
            return self.folder
        return self._outside()

    def _outside(self) -> Path:
        return Path("/var/lib/vigie") / self.short_name
