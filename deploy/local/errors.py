"""What can go wrong while servers are installed, started or stopped."""

from __future__ import annotations


class LocalError(Exception):
    """One sentence for the operator: what failed, and what to do about it.

    Attributes
    ----------
    tail : str
        The last lines of the log that explains it; empty when there is none.
    """

    def __init__(self, sentence: str, *, tail: str = "") -> None:
        super().__init__(sentence)
        self.tail = tail


class InstallFailed(LocalError):
    """Something is missing on this machine and could not be installed."""


class NotReady(LocalError):
    """A server or process was started, but did not answer within its time."""


class NotOurs(LocalError):
    """The state folder, or a process in it, is not one that we may touch."""
