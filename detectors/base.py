"""What every detector promises. Contracts only, no maths.

`tests/contract/test_detectors.py` holds each detector to each promise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from detectors.findings import Score
    from ingest.readings import Vital
    from ingest.registry.entities import Patient


class Sample(NamedTuple):
    """One value that a detector looks at: finite, in the vital's own unit; `time` is UTC."""

    vital: Vital
    value: float
    time: datetime
    device: str


class Detector(Protocol):
    """One question about one patient, asked with every value that comes.

    The panel calls `score` first, always, and then `learn` for values that may be learned from: so
    a value is never judged by a model that has already seen it. Both are pure computation: they
    never block, read no clock and no random source, and raise for no finite value, however late,
    early or often it comes. Memory is bounded by the number of vitals, never by time.
    """

    def score(self, settings: Patient, sample: Sample) -> Score | None:
        """Say how unusual the value is, and change nothing.

        Parameters
        ----------
        settings
            The patient's settings as they hold at this place in the log.
        sample
            The value in question.

        Returns
        -------
        Score or None
            None means unknown: nothing was learned yet, the detector is still warming up, or it
            has no opinion on this vital. It never means "as expected", which is a low score.
        """
        ...

    def learn(self, sample: Sample) -> None:
        """Take the value in. What comes from artefacts or crises is not given to be learned."""
        ...

    def snapshot(self) -> object:
        """Return the state as plain values that msgpack carries exactly; no code, no pickle.

        What `restore` (each detector's own, a class method) makes of it gives the same scores as
        this detector, to the last bit.
        """
        ...
