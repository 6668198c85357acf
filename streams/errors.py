"""What can go wrong between the log and the database, one type per decision of the agent.

VigieError
├── StoreUnavailable   retryable   the database does not take the batch now
├── Unstorable         final       the database will never take one of these records
├── Fenced             retryable   another worker moved the partition's place: load it anew
├── Busy               retryable   another transaction holds or changed what this one needs
├── Withdrawn          retryable   a consent was withdrawn while the batch was written
├── RegistryBehind     retryable   the log names a registry revision that is not here yet
├── OffsetGap          final       the consumer skipped records: start again at our own offset
├── LogReplaced        final       the log ends before what was applied: the operator must look
├── WorkerStopped     final       a part of the worker ended that should not have
└── SchemaMismatch     final       the database's schema is not the one this version needs
"""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb

from ingest.ports import VigieError


class StoreUnavailable(VigieError):
    """The database cannot be reached, or gave up. Nothing of the batch was stored: try again."""

    retryable = True


class Unstorable(VigieError):
    """The database refuses a value of the batch for good. Find its record and dead-letter it."""


class Fenced(VigieError):
    """Another worker moved a partition's place meanwhile. Nothing was stored: load it anew."""

    retryable = True

    def __init__(self) -> None:
        super().__init__("another worker moved the partition's place")


class Busy(VigieError):
    """Another transaction is in the way. Nothing was stored: try again.

    It holds a lock for longer than this lane waits, or has erased a series that was known here.
    """

    retryable = True

    def __init__(self) -> None:
        super().__init__("another transaction holds or has changed what this one needs")


class Withdrawn(VigieError):
    """A patient has withdrawn a consent while the batch was written. Nothing was stored: again."""

    retryable = True

    def __init__(self) -> None:
        super().__init__("a consent was withdrawn while the batch was written")


class DetectorFailed(VigieError):
    """A detector raised on a message. It would again: the message becomes a dead letter."""


class RegistryBehind(VigieError):
    """A tick names a registry revision that the follower has not read yet: wait for it."""

    retryable = True

    def __init__(self, revision: int) -> None:
        super().__init__(f"the registry has not reached revision {revision} yet")
        self.revision = revision


class OffsetGap(VigieError):
    """Records between the next one and the first of the batch never came.

    When Kafka's retention deleted them they are lost and counted; otherwise the consumer is at the
    wrong place, and only a new start at our own offset mends it.
    """

    def __init__(self, partition: int, expected: int, found: int) -> None:
        super().__init__(
            f"partition {partition}: offset {found} came where {expected} was due; "
            "the worker must start again at its own offset"
        )
        self.partition, self.expected, self.found = partition, expected, found


class LogReplaced(VigieError):
    """The log of a partition ends before what was applied: it is not the log we knew."""

    def __init__(self, topic: str, partition: int, applied: int, end: int) -> None:
        super().__init__(
            f"{topic}, partition {partition}, ends at offset {end}, but {applied} records of it "
            "were applied: Kafka lost data, or the topic was made anew. Restore the topic, or set "
            "internal.progress.next_offset to the new log's start once its loss is accepted"
        )


class SchemaMismatch(VigieError):
    """The database's schema is not what this version needs; `vigie database migrate` mends it."""


class WorkerStopped(VigieError):
    """A part of the worker ended by itself. Its supervisor starts the worker again."""

    def __init__(self, part: str, error: BaseException | None) -> None:
        why = f": {type(error).__name__}" if error is not None else ""
        super().__init__(f"the worker's {part} ended by itself{why}")


def trace(error: BaseException) -> str:
    """Tell where an unexpected error came from; its text is left out, for it may quote a value.

    >>> try:
    ...     int("72 beats")
    ... except ValueError as error:
    ...     trace(error).startswith("ValueError at ")
    True
    """
    frames = [
        f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in extract_tb(error.__traceback__)
    ]
    return f"{type(error).__name__} at {' > '.join(frames)}"
