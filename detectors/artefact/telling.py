"""Technical findings in the words of the contract."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from detectors.base import Score
from detectors.findings import Against, Evidence, Finding, Kind, Pattern, Priority
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detectors.base import Moment, Sample

DETECTOR = "artefact/1"
DISAGREEMENT = "artefact.disagreement"
# A jump, zeros and poor contact are one matter with one alert: a loose probe gives all of them.
SENSORS = "artefact.sensor."
SENSOR: Mapping[str, str] = MappingProxyType({one.value: f"{SENSORS}{one}" for one in Vital})
FLAT: Mapping[str, str] = MappingProxyType({one.value: f"artefact.flat.{one}" for one in Vital})


class Wrong(NamedTuple):
    """What is wrong: `since` when (seconds since 1970), `value` is the score."""

    rule: str
    pattern: Pattern
    since: int
    value: float


def told(
    moment: Moment,
    wrong: Wrong,
    samples: Sequence[Sample],
    *,
    lasting: bool,
    withheld: bool,
    expected: tuple[float, float] | None = None,
) -> Score:
    """Make the score of something technical that is wrong.

    Values that are withheld stand as evidence, others by name in `missing`: a believable one is.
    `expected` bounds what a better source says that they should be. That source's own value is no
    evidence: whatever stands there raises no alert.
    """
    low, high = (None, None) if expected is None else expected
    evidence = tuple(
        Evidence(one.vital, one.value, moment.time, moment.device, low, high, original=one.original)
        for one in samples
    )
    first = samples[0]
    begun = min(moment.time, datetime.fromtimestamp(wrong.since, UTC))
    finding = Finding(
        rule=wrong.rule,
        kind=Kind.TECHNICAL,
        priority=Priority.MEDIUM if lasting else Priority.LOW,
        detector=DETECTOR,
        evidence=evidence if withheld else (),
        score=wrong.value,
        missing=() if withheld else tuple(one.vital for one in samples),
        since=begun,
        pattern=wrong.pattern,
        against=Against.EXPECTED if wrong.pattern in _EXPECTED else Against.HOURS,
    )
    return Score(DETECTOR, wrong.rule, wrong.value, finding, first.vital, first.value, since=begun)


_EXPECTED = frozenset({Pattern.FLAT, Pattern.OFF})


def fine(rule: str) -> Score:
    """Answer a rule as normal."""
    return Score(DETECTOR, rule, 0.0)
