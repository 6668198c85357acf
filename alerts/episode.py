"""From judgements to the life of an alert: a pure state machine, driven by event time alone.

At most one episode per patient and rule is open. Constants are engineering choices unless a source
stands beside them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from alerts.events import AlertEvent, EndReason, Phase, State, alert_id
from detectors.findings import Evidence, Finding, Kind, Priority
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.findings import Judgement

# A finding opens an episode once it has held for this long. An alarm delay of 6 s took away nearly
# half of SpO2 alarms, one of 18 s 82 % (Rheineck-Leyssius and Kalkman 1998); many were true.
ONSET = timedelta(seconds=10)
# Advice can wait: what passes within a minute is movement, coughing or a meal.
ADVISORY_ONSET = timedelta(seconds=60)
# A rule judged less often than this has no use for an onset delay: its next answer may be hours
# away (a cuff, a nurse's round, the morning's weight).
SPOT_GAP = timedelta(minutes=1)
# An episode ends at a normal judgement when the last abnormal one is at least this old.
CALM = timedelta(seconds=30)
# The priority falls only after this long at the lower one: people get no letter for each wave.
LOWER = timedelta(minutes=5)
# Between two updates of what an episode rests on.
UPDATE = timedelta(minutes=5)

# Vitals that one sensor gives: what is wrong with one of them is wrong with the others.
_SENSORS = (frozenset({Vital.SYSTOLIC, Vital.DIASTOLIC, Vital.MEAN_PRESSURE}),)
# Vitals that are one thing measured in several ways: what explains one explains the others. Not so
# for what is wrong with a sensor: a loose finger clip says nothing of the heart rate by ECG.
_KIN = (frozenset({Vital.HEART_RATE, Vital.PULSE_RATE}), *_SENSORS)
# The family of technical rules that speak of wrong values. The others (`silence`) speak of values
# that do not come, and explain nothing of those that do.
_ARTEFACT = "artefact."


class _Evidence(Evidence, frozen=True, array_like=True):
    """Evidence as it is stored: without the names of its fields, which would double it."""


class _Finding(Finding, frozen=True, array_like=True):
    """A finding as it is stored."""

    evidence: tuple[_Evidence, ...]


class Episode(msgspec.Struct, array_like=True):
    """An open alert; `started` is the moment at which it was opened, on which its id depends.

    `finding` is the last abnormal one, judged at `abnormal`. `told` are the vitals that the last
    start, escalation, de-escalation or update rested on, and `told_at` its time. `lower` is since
    when findings have had a lower priority than the alert (None: they have not). All times UTC.
    """

    started: datetime
    number: int
    priority: Priority
    finding: _Finding
    abnormal: datetime
    told: tuple[str, ...] = ()
    told_at: datetime = datetime.min.replace(tzinfo=UTC)
    lower: datetime | None = None


class Track(msgspec.Struct, array_like=True):
    """What is remembered of one rule: when it was last judged, and abnormal since when (UTC).

    `since` is None while the rule is judged normal, or its findings are explained otherwise.
    `opened` is when its last alert was opened (UTC, None: it has had none): an alert's id is made
    of this moment, and late readings must not open the same one once more.
    """

    judged: datetime
    since: datetime | None = None
    opened: datetime | None = None


class Record(msgspec.Struct, array_like=True):
    """Everything that `Episodes` knows, by rule: the body of a snapshot."""

    tracks: dict[str, Track]
    episodes: dict[str, Episode]


class Episodes:
    """One patient's rules and open alerts.

    Time moves forward only: a judgement that is older than the last one of its rule counts as made
    at that one's time. What is wrong with a sensor keeps alerts from being opened on its values
    alone; it ends none, for the patient may have been unwell before. Alerts of low priority and
    advisory ones become inactive when they end, all others latched: nobody is told of the former,
    so nobody could acknowledge them.
    """

    def __init__(self, patient: str, record: Record | None = None) -> None:
        self._patient = patient
        record = record if record is not None else Record({}, {})
        self._tracks, self._episodes = record.tracks, record.episodes

    @property
    def physiological(self) -> bool:
        """Whether the patient is in a physiological alert now."""
        return any(e.finding.kind is Kind.PHYSIOLOGICAL for e in self._episodes.values())

    @property
    def rules(self) -> frozenset[str]:
        """The rules with an open alert."""
        return frozenset(self._episodes)

    def observe(self, judgement: Judgement) -> tuple[AlertEvent, ...]:
        """Take in one judgement, and say what it does to alerts.

        The events come in a fixed order whatever the order of findings. Artefacts come first: what
        they make of a moment holds for the rest of it. Advice comes last: an open physiological
        alert explains what the baseline sees in its vitals, so no advice is opened for them, and
        advice that was open ends.
        """
        now = judgement.time
        findings = {finding.rule: finding for finding in judgement.findings}
        events: list[AlertEvent] = []
        advice = []
        for rule in sorted(judgement.judged | findings.keys(), key=_turn):
            finding = findings.get(rule)
            if finding is None:
                events += self._normal(rule, now)
            elif finding.kind is Kind.ADVISORY:
                advice.append(finding)
            else:
                events += self._abnormal(finding, now)
        explained = self._explained()
        events += self._end_explained(explained, now)
        for finding in advice:
            if explained and not explained.isdisjoint(_vitals(finding)):
                self._track(finding.rule, now).since = None
            else:
                events += self._abnormal(finding, now)
        return tuple(events)

    def withdraw(self) -> tuple[AlertEvent, ...]:
        """End every episode because the patient does not agree to be watched any more.

        The time is that of the rule's last judgement. An alert that a physician may have been told
        of stays latched until seen, as after any end; what it rested on is not told once more.
        """
        ends = []
        for rule, episode in sorted(self._episodes.items()):
            event = self._end(episode, self._tracks[rule].judged)
            bare = structs.replace(event.finding, evidence=(), score=None, missing=())
            ends.append(structs.replace(event, finding=bare, reason=EndReason.CONSENT_WITHDRAWN))
        return tuple(ends)

    def snapshot(self) -> Record:
        """Return the state itself, not a copy: encode it at once."""
        return Record(self._tracks, self._episodes)

    def _track(self, rule: str, now: datetime) -> Track:
        """Return the rule's track, judged now."""
        track = self._tracks.get(rule)
        if track is None:
            track = self._tracks[rule] = Track(now)
        elif now > track.judged:
            track.judged = now
        return track

    def _normal(self, rule: str, now: datetime) -> Iterator[AlertEvent]:
        track = self._track(rule, now)
        track.since = None
        episode = self._episodes.get(rule)
        if episode is not None and track.judged - episode.abnormal >= CALM:
            yield self._end(episode, track.judged)

    def _abnormal(self, finding: Finding, now: datetime) -> Iterator[AlertEvent]:
        before = self._tracks.get(finding.rule)
        # Asked for the first time, or after long: the next answer may be hours away.
        spot = before is None or now - before.judged > SPOT_GAP
        track = self._track(finding.rule, now)
        episode = self._episodes.get(finding.rule)
        if episode is None and self._inhibited(finding):
            track.since = None
            return
        if track.since is None:
            track.since = track.judged
        # The detector may know better: it has also looked at what was no finding yet.
        since = track.since if finding.since is None else min(track.since, finding.since)
        if episode is not None:
            yield from self._continue(episode, finding, track.judged)
        elif track.opened != track.judged and (spot or track.judged - since >= _onset(finding)):
            track.opened = track.judged
            episode = Episode(track.judged, 0, finding.priority, _stored(finding), track.judged)
            self._episodes[finding.rule] = episode
            yield self._tell(episode, Phase.START, track.judged)

    def _continue(self, episode: Episode, finding: Finding, now: datetime) -> Iterator[AlertEvent]:
        """Take in that the cause still holds; tell what changed, at most one thing."""
        episode.finding, episode.abnormal = _stored(finding), now
        change = finding.priority.rank - episode.priority.rank
        if change >= 0:
            episode.lower = None
        elif episode.lower is None:
            episode.lower = now
        if change > 0:
            episode.priority = finding.priority
            yield self._tell(episode, Phase.ESCALATE, now)
        elif episode.lower is not None and now - episode.lower >= LOWER:
            episode.priority, episode.lower = finding.priority, None
            yield self._tell(episode, Phase.DEESCALATE, now)
        elif now - episode.told_at >= UPDATE and _vitals(finding) != episode.told:
            yield self._tell(episode, Phase.UPDATE, now)

    def _explained(self) -> frozenset[str]:
        """Name the vitals that an open physiological alert speaks of, with their kin."""
        vitals: set[str] = set()
        for episode in self._episodes.values():
            if episode.finding.kind is Kind.PHYSIOLOGICAL:
                vitals.update(_vitals(episode.finding))
        return _widened(vitals, _KIN)

    def _inhibited(self, finding: Finding) -> bool:
        """Say whether a finding rests only on values with which something is wrong just now."""
        if finding.kind is Kind.TECHNICAL or not finding.evidence:
            return False
        vitals: set[str] = set()
        for rule, episode in self._episodes.items():
            if rule.startswith(_ARTEFACT) and episode.finding.kind is Kind.TECHNICAL:
                vitals.update(_vitals(episode.finding))
        return bool(vitals) and _widened(vitals, _SENSORS).issuperset(_vitals(finding))

    def _end_explained(self, explained: frozenset[str], now: datetime) -> Iterator[AlertEvent]:
        if not explained:
            return
        for rule, episode in sorted(self._episodes.items()):
            if episode.finding.kind is not Kind.ADVISORY:
                continue
            if not explained.isdisjoint(_vitals(episode.finding)):
                track = self._track(rule, now)
                track.since = None
                yield self._end(episode, track.judged)

    def _end(self, episode: Episode, now: datetime) -> AlertEvent:
        finding = episode.finding
        del self._episodes[finding.rule]
        quiet = finding.kind is Kind.ADVISORY or episode.priority is Priority.LOW
        return self._event(episode, Phase.END, State.INACTIVE if quiet else State.LATCHED, now)

    def _tell(self, episode: Episode, phase: Phase, now: datetime) -> AlertEvent:
        episode.told, episode.told_at = _vitals(episode.finding), now
        return self._event(episode, phase, State.ACTIVE, now)

    def _event(self, episode: Episode, phase: Phase, state: State, now: datetime) -> AlertEvent:
        episode.number += 1
        return AlertEvent(
            alert=alert_id(self._patient, episode.finding.rule, episode.started),
            number=episode.number,
            patient=self._patient,
            phase=phase,
            state=state,
            priority=episode.priority,
            kind=episode.finding.kind,
            time=now,
            started=episode.started,
            finding=_told(episode.finding),
        )


def _turn(rule: str) -> tuple[bool, str]:
    return not rule.startswith(_ARTEFACT), rule


def _widened(vitals: set[str], together: tuple[frozenset[Vital], ...]) -> frozenset[str]:
    return frozenset(vitals.union(*(kin for kin in together if not vitals.isdisjoint(kin))))


def _onset(finding: Finding) -> timedelta:
    return ADVISORY_ONSET if finding.kind is Kind.ADVISORY else ONSET


def _stored(finding: Finding) -> _Finding:
    evidence = tuple(_Evidence(*structs.astuple(one)) for one in finding.evidence)
    return _Finding(**structs.asdict(finding) | {"evidence": evidence})


def _told(finding: _Finding) -> Finding:
    evidence = tuple(Evidence(*structs.astuple(one)) for one in finding.evidence)
    return Finding(**structs.asdict(finding) | {"evidence": evidence})


def _vitals(finding: Finding) -> tuple[str, ...]:
    return tuple(sorted({evidence.vital for evidence in finding.evidence}))
