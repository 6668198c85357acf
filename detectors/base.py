"""What every detector promises. Contracts only, no maths.

`tests/contract/test_detectors.py` holds each detector to each promise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime  # noqa: TC003 (a field's type, wanted at run time by the tests)
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

if TYPE_CHECKING:
    from detectors.findings import Finding
    from ingest.readings import Original
    from ingest.registry.entities import Patient


class Sample(NamedTuple):
    """One value that a detector looks at: finite, in the vital's own unit.

    `vital` is a `Vital`, or the name of any other series in generic scoring. `quality` are bits of
    `ingest.readings.Quality`, as a plain number.
    """

    vital: str
    value: float
    quality: int = 0
    original: Original | None = None


class Moment(NamedTuple):
    """What one device measured at one moment: the unit in which a patient is looked at.

    `time` is the device's (UTC), `at` the same in seconds since 1970. `samples` are ordered by
    vital, and each is newer than everything that this device sent of its vital before. `fed` is how
    many seconds the patient's feed has been alive by the log's own time (see `Feed`). `frozen`: the
    patient is in a physiological alert, so nothing of this is usual. `open` are the rules with an
    open alert.
    """

    time: datetime
    at: float
    device: str
    samples: tuple[Sample, ...]
    fed: float = 0.0
    frozen: bool = False
    open: frozenset[str] = frozenset()


class Feed(NamedTuple):
    """Where the log's own time stands: a tick.

    `time` (UTC) is the gateway's. `fed` counts the seconds during which ticks came: while the feed
    itself is dead it stands still, so no patient is called silent for that.
    """

    time: datetime
    fed: float


class Score(NamedTuple):
    """What a detector makes of a moment: how unusual, against what, since when.

    `value` rises with concern; its unit is the detector's. `vital` and `reading` are what was
    judged (None: several vitals together), `low` and `high` bound what was expected, in the vital's
    own unit (None: no bound on that side). `since` (UTC) is when the unusual began; None: it has
    not. `missing` are inputs that were not there. `finding` is what a human may have to know.
    """

    detector: str
    rule: str
    value: float
    finding: Finding | None = None
    vital: str | None = None
    reading: float | None = None
    low: float | None = None
    high: float | None = None
    since: datetime | None = None
    missing: tuple[str, ...] = ()


Scores = Sequence[Score]
# Of the detectors that come before in the catalogue, in this moment, by rule.
Before = Mapping[str, Score]


class Detector(Protocol):
    """One question about one patient, asked with every moment that comes.

    The panel calls `score` first, always, and then `learn` with what it answered: so a value is
    never judged by a model that has already seen it. All methods are pure computation: they never
    block, read no clock and no random source, and raise for no finite value, however late, early
    or often it comes. Memory is bounded by the number of vitals, never by time.

    A class is made with its section of a profile (an `options_type`: a frozen msgspec Struct with
    defaults) and, to go on where another stood, with what `snapshot` of that one returned (a
    `state_type`, once it went through msgpack).

    `name` begins the rules of its scores (`baseline.heart_rate`); `version` takes the next number
    when its state or its figures change their meaning.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    options_type: ClassVar[type[Any]]
    state_type: ClassVar[Any]

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        """Say how unusual the moment is, and change nothing.

        Parameters
        ----------
        settings
            The patient's settings as they hold at this place in the log.
        moment
            What came. Values that the artefact detector explains are not in it.
        before
            The scores of this moment by the detectors that come before in the catalogue.

        Returns
        -------
        Scores
            At most one score for each rule. A rule without a score is unknown: nothing was learned
            yet, the detector is warming up, or it has no opinion on these vitals. That never means
            "as expected", which is a low score.
        """
        ...

    def learn(self, settings: Patient, moment: Moment, scores: Scores) -> None:
        """Take the moment in; `scores` are this detector's own for it.

        What is usual is learned neither from a frozen moment nor from a suspect value.
        """
        ...

    def snapshot(self) -> Any:
        """Return the state (a `state_type`) that msgpack carries exactly; no code, no pickle.

        It may be the working state itself: encode it at once.
        """
        ...


class Ticking(Protocol):
    """What a detector promises besides when it also looks at time that passes without a reading."""

    def due(self, settings: Patient) -> float | None:
        """Return the `fed` second or, for prescriptions, an earlier one, at which to ask next.

        None: nothing is expected. To be asked too early or too often changes no answer.
        """
        ...

    def overdue(self, settings: Patient, feed: Feed, open_rules: frozenset[str]) -> Scores:
        """Say what is missing by now, and change nothing; at most one score for each rule."""
        ...


def label(detector: type[Detector] | Detector) -> str:
    """Name a detector with its version, as findings and snapshots do.

    >>> from detectors.news2 import News2Detector
    >>> label(News2Detector)
    'news2/2'
    """
    return f"{detector.name}/{detector.version}"
