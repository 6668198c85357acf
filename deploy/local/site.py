"""What every server is given to work with, and what every server must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from deploy.local.programs import Program
    from deploy.local.state import State

DEPLOY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Site:
    """The state folder and the folder of installed software that a server works with."""

    state: State
    opt: Path

    @property
    def throwaway(self) -> bool:
        """Whether this is for a test: fast and forgetful instead of safe."""
        return self.state.record.throwaway


class Server(Protocol):
    """One kind of server. All calls block; none is made by two threads at a time."""

    name: str
    settings: tuple[str, ...]
    """The environment names of its addresses. A site that sets the first uses its own server."""

    def prepare(self) -> list[Program]:
        """Choose ports, write settings, make what data needs. Called while it does not run."""

    def programs(self) -> list[str]:
        """Name its programs, running or not."""

    def complaint(self) -> str | None:
        """Say why it is not ready yet, or None when it truly answers. Called again and again."""

    def finish(self) -> None:
        """Do what needs the running server, each time it was started; twice is harmless."""

    def addresses(self) -> dict[str, str]:
        """Give the values of `settings`."""

    def version(self) -> str:
        """Give the version of the installed program, for people."""
