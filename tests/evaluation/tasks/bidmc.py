"""False alarms at the bedside: 53 monitors in intensive care at one reading a second (BIDMC).

There is no label in these recordings, so what is false is defined, openly, in `METHOD`.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from statistics import median
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from alerts.events import Phase
from alerts.watch import Watch
from detectors.findings import Kind, Priority
from detectors.panel import Panel
from detectors.profiles.loading import SHIPPED
from ingest.readings import Instant, Quality, Refusal, Vital, judge
from ingest.registry.entities import Patient, Profile
from simulators.readers import bidmc
from tests.evaluation.bidmc_events import EVENTS, FAULTS, Bed
from tests.evaluation.report import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from rich.console import Console

    from alerts.events import AlertEvent
    from detectors.profiles.loading import Profiles, Watched
    from tests.evaluation.bidmc_events import Event

START = datetime(2026, 1, 1, tzinfo=UTC)
PATIENT = Patient("bidmc", profile=Profile.ICU)
SEED = 20261124
RESAMPLES = 1000
# A recording is truly abnormal by NEWS2 if so much of it is: a score of 5 or more, or a single 3.
NEARLY_ALL = 0.9
# An injected event must be told within so many seconds of its first value beyond the bounds.
IN_TIME = 60.0
MINUTE = 60.0
# A false event calls somebody if an alert begins within so many seconds of its start.
AFTER = 90.0

# The plain monitor's bounds are those of the `icu` profile; the pulse is not a second source to it.
PLAIN = (Vital.HEART_RATE, Vital.RESPIRATORY_RATE, Vital.SPO2)

METHOD = """\
Each reading of the 53 recordings (7.1 h in all) goes through `alerts.watch.Watch`, the worker's
own code, with the `icu` profile. A false alarm is the start of a physiological alert of medium
or high priority, or its rise to that. The plain monitor has the same bounds (heart rate 50 to
120, respiratory rate 8 to 30, saturation from 90), no delay and no hysteresis: each excursion is
one alarm. A recording is called stable if the medians of its first minute lie within these
bounds for all three vitals and give a NEWS2 below 5 without a single 3, which is what a
clinician sees who sets the limits at the start; nothing of what comes later is looked at. Rates
are per hour of recording, intervals from 1000 resamples of the recordings. Into each stable
recording one true event at a time is injected, at a random second (seeded) between 2 and 5
minutes, on top of the recording's own noise and dropouts: a saturation that falls to 80 % within
60 s, a heart rate and pulse that rise to 150 per minute within 10 s or from one second to the
next, breathing that slows to 4 per minute within 10 s; each holds for 120 s. It counts as told
when a physiological alert of medium or high priority rests on that vital within 60 s of the
first value beyond the bound. False events are injected in the same way, one at a time: a heart
rate of 180 per minute by ECG for 30 s while the pulse goes on (tremor), and a pulse and
saturation of 0 for 45 s while the ECG goes on (the clip fell off). There every alert of medium
or high priority about the patient that begins within 90 s is false."""


def run(recordings: Path, console: Console) -> Section:
    """Measure false alarms per hour, and that true events are told."""
    beds = [Bed(one.name, list(one.instants)) for one in bidmc.recordings(recordings / "bidmc")]
    stable = [bed for bed in beds if is_stable(bed)]
    section = Section(
        title="False alarms at the bedside (BIDMC)",
        question="How many alarms of medium or high priority are raised in stable patients?",
        method=METHOD,
        header=("", "per hour, stable", "alarms", "per hour, all 53", "alarms", "technical"),
    )
    rates: dict[str, float] = {}
    for name, alarms in _ways().items():
        console.print(f"bidmc: {name}")
        counts = {bed.name: alarms(bed) for bed in beds}
        rates[name] = _row(section, name, counts, stable, beds)
    without = rates["`icu` profile without `artefact`"]
    events = _sensitivity(section, stable, console)
    fooled = _specificity(section, stable, console)
    abnormal = [bed.name for bed in beds if _always_abnormal(bed)]
    plain, ours = rates["plain monitor"], rates["`icu` profile"]
    limits = rates["`limits` and `artefact`"]
    section.figures["ratio of the icu profile to the plain monitor"] = (ours / plain, None, None)
    section.figures["ratio of limits and artefact to the plain monitor"] = (
        *(limits / plain, None, None),
    )
    section.verdict = (
        f"{len(stable)} of {len(beds)} recordings start stable. The `icu` profile "
        f"raises {ours / plain:.2f} times the alarms of the plain monitor in them, its bounds with "
        f"`artefact` alone {limits / plain:.2f} times. On the recordings as they stand `artefact` "
        f"takes the profile from {without:.2f} to {ours:.2f} alarms per hour: most of what is left "
        f"is NEWS2 on values that pass. {events} {fooled} By NEWS2, {len(abnormal)} "
        f"recordings ({', '.join(abnormal)}) are abnormal for nine tenths of their time or more: "
        "alerts there are no false ones, and stand in the column of all recordings only."
    )
    return section


def is_stable(bed: Bed) -> bool:
    """Whether the first minute's medians are within the default bounds, and NEWS2 calls nobody."""
    first = bed.instants[0][0]
    start = [values for second, values in bed.instants if second - first < MINUTE]
    medians = {
        vital: median(known)
        for vital in PLAIN
        if (known := [values[vital] for values in start if vital in values])
    }
    if any(_beyond(vital, value) for vital, value in medians.items()):
        return False
    panel = Panel(profiles={**SHIPPED, Profile.ICU: only(SHIPPED[Profile.ICU], {"news2"})})
    return not panel.feed(PATIENT, "bedside-monitor", _instant(first, medians)).findings


class Alarms(NamedTuple):
    """How many alarms a recording raised; `technical`: those of medium priority about a sensor."""

    false: int
    technical: int = 0


def plain(bed: Bed) -> Alarms:
    """Count as the plain monitor does: each excursion beyond a bound is one alarm."""
    count = 0
    for vital in PLAIN:
        beyond = [_beyond(vital, values[vital]) for _, values in bed.instants if vital in values]
        count += sum(now and not before for before, now in pairwise([False, *beyond]))
    return Alarms(count)


def watched(profile: Watched) -> Callable[[Bed], Alarms]:
    """Count as a physician would be told with this profile."""

    def count(bed: Bed) -> Alarms:
        found = Counter(event.kind for _, event in raised(play(bed, profile)))
        return Alarms(found[Kind.PHYSIOLOGICAL] + found[Kind.ADVISORY], found[Kind.TECHNICAL])

    return count


def only(profile: Watched, detectors: Collection[str] = (), but: str = "") -> Watched:
    """Leave of a profile these detectors (none named: all), but not that one."""
    kept = tuple(
        (kind, options)
        for kind, options in profile.detectors
        if (not detectors or kind.name in detectors) and kind.name != but
    )
    return profile._replace(detectors=kept)


def play(bed: Bed, profile: Watched) -> list[tuple[float, AlertEvent]]:
    """Run a recording through the worker's own code; returns events with their second."""
    profiles: Profiles = {**SHIPPED, Profile.ICU: profile}
    watch = Watch.by(profiles)(bed.name)
    told = []
    for second, values in bed.instants:
        instant = _instant(second, values)
        if instant.values:
            outcome = watch.observe(PATIENT, "bedside-monitor", instant)
            told += [(second, event) for event in outcome.events]
    return told


def raised(events: Sequence[tuple[float, AlertEvent]]) -> list[tuple[float, AlertEvent]]:
    """Keep the events by which an alert becomes one of medium or high priority."""
    known: dict[UUID, Priority] = {}
    found = []
    for second, event in events:
        before = known.get(event.alert)
        known[event.alert] = event.priority
        was_low = before in {None, Priority.LOW}
        if event.phase is not Phase.END and was_low and event.priority is not Priority.LOW:
            found.append((second, event))
    return found


def _ways() -> Mapping[str, Callable[[Bed], Alarms]]:
    icu = SHIPPED[Profile.ICU]
    return MappingProxyType(
        {
            "plain monitor": plain,
            "`limits`": watched(only(icu, {"limits"})),
            "`limits` and `artefact`": watched(only(icu, {"limits", "artefact"})),
            "`icu` profile without `artefact`": watched(only(icu, but="artefact")),
            "`icu` profile": watched(icu),
        }
    )


def _instant(second: float, values: Mapping[Vital, float]) -> Instant:
    """Build what the gateway would publish: refused values left out, suspect ones marked."""
    judged = {vital: judge(vital, value) for vital, value in values.items()}
    kept = {vital: value for vital, value in values.items() if judged[vital] not in Refusal}
    marks = {vital: int(judged[vital]) for vital in kept if judged[vital] is Quality.SUSPECT}
    return Instant(START + timedelta(seconds=second), kept, marks)


def _beyond(vital: Vital, value: float) -> bool:
    bound = SHIPPED[Profile.ICU].options("limits").bounds[vital]
    return (bound.low is not None and value < bound.low) or (
        bound.high is not None and value > bound.high
    )


def _row(
    section: Section,
    name: str,
    counts: Mapping[str, Alarms],
    stable: Sequence[Bed],
    beds: Sequence[Bed],
) -> float:
    cells = [name]
    for label, group in (("stable", stable), ("all", beds)):
        rate, low, high = _rate(group, counts)
        section.figures[f"{name}, {label}, per hour"] = (rate, low, high)
        cells += [
            f"{rate:.2f} [{low:.2f}, {high:.2f}]",
            str(sum(counts[bed.name].false for bed in group)),
        ]
    section.rows.append((*cells, str(sum(one.technical for one in counts.values()))))
    return section.figures[f"{name}, stable, per hour"][0]


def _rate(beds: Sequence[Bed], counts: Mapping[str, Alarms]) -> tuple[float, float, float]:
    """Give alarms per hour with the 95 % interval of resampled recordings."""
    random = Random(SEED)

    def rate(some: Sequence[Bed]) -> float:
        return sum(counts[bed.name].false for bed in some) / sum(bed.hours for bed in some)

    drawn = sorted(rate(random.choices(beds, k=len(beds))) for _ in range(RESAMPLES))
    return rate(beds), drawn[int(0.025 * RESAMPLES)], drawn[int(0.975 * RESAMPLES)]


def _sensitivity(section: Section, stable: Sequence[Bed], console: Console) -> str:
    """Inject events, and count those that are told in time; returns a sentence."""
    icu = SHIPPED[Profile.ICU]
    said = []
    for event in EVENTS:
        console.print(f"bidmc: injecting {event.name}")
        told = Counter[str]()
        delays = []
        possible = 0
        for number, bed in enumerate(stable):
            begin = float(Random(f"{SEED}-{event.name}-{number}").randint(120, 300))
            changed = event.into(bed, begin)
            first = _first_beyond(changed, event, begin)
            if first is None:
                continue
            possible += 1
            for name, profile in (
                ("icu", icu),
                ("bounds", only(icu, {"limits", "artefact"})),
                ("without", only(icu, {"limits"})),
            ):
                delay = _delay(play(changed, profile), event, first)
                told[name] += delay is not None
                if name == "bounds" and delay is not None:
                    delays.append(delay)
        within = f"{median(delays):.0f} s" if delays else "never"
        section.rows.append(
            (
                f"injected: {event.name}",
                f"told by `icu` {told['icu']}/{possible}",
                f"by `limits` and `artefact` {told['bounds']}/{possible}",
                f"by `limits` {told['without']}/{possible}",
                f"median after {within}",
                "",
            )
        )
        section.figures[f"told in time by the icu profile: {event.name}"] = (
            *(told["icu"] / max(possible, 1), None, None),
        )
        said.append(f"{event.name} {told['bounds']}/{possible}")
    return "Of true events injected, bounds with `artefact` tell " + ", ".join(said) + "."


def _specificity(section: Section, stable: Sequence[Bed], console: Console) -> str:
    """Inject false events, and count the recordings in which somebody is called for them."""
    icu = SHIPPED[Profile.ICU]
    ways = {
        "`icu`": icu,
        "`limits` and `artefact`": only(icu, {"limits", "artefact"}),
        "`limits`": only(icu, {"limits"}),
        "`icu` without `artefact`": only(icu, but="artefact"),
    }
    said = []
    for fault in FAULTS:
        console.print(f"bidmc: injecting {fault.name}")
        fooled = Counter[str]()
        for number, bed in enumerate(stable):
            begin = float(Random(f"{SEED}-{fault.name}-{number}").randint(120, 300))
            changed = fault.into(bed, begin)
            for name, profile in ways.items():
                fooled[name] += any(
                    begin <= second < begin + AFTER
                    and event.kind is not Kind.TECHNICAL
                    and not {one.vital for one in event.finding.evidence}.isdisjoint(fault.shows)
                    for second, event in raised(play(changed, profile))
                )
        cells = [f"called by {name} {fooled[name]}/{len(stable)}" for name in ways]
        section.rows.append((f"false: {fault.name}", *cells, ""))
        for name in ("`icu`", "`icu` without `artefact`"):
            section.figures[f"called for {fault.name} by {name}"] = (
                *(fooled[name] / len(stable), None, None),
            )
        said.append(
            f"{fault.name} {fooled['`icu`']} with `artefact` and "
            f"{fooled['`icu` without `artefact`']} without"
        )
    return f"Of {len(stable)} false events each, somebody is called for: {', '.join(said)}."


def _first_beyond(bed: Bed, event: Event, begin: float) -> float | None:
    vital = event.vitals[0]
    for second, values in bed.instants:
        if second >= begin and vital in values and _beyond(vital, values[vital]):
            return second
    return None


def _delay(events: Sequence[tuple[float, AlertEvent]], event: Event, first: float) -> float | None:
    """Say how long after its first value beyond an event was told; 0: it was told already."""
    for alert in {one.alert for _, one in events}:
        known = [(second, one) for second, one in events if one.alert == alert]
        for second, one in raised(known):
            ended = next((s for s, e in known if e.phase is Phase.END), float("inf"))
            rests = {evidence.vital for _, e in known for evidence in e.finding.evidence}
            if (
                one.kind is Kind.PHYSIOLOGICAL
                and not rests.isdisjoint(event.vitals)
                and second <= first + IN_TIME
                and ended > first
            ):
                return max(0.0, second - first)
    return None


def _always_abnormal(bed: Bed) -> bool:
    """Whether NEWS2 calls for a human through nearly all of a recording."""
    profile = only(SHIPPED[Profile.ICU], {"news2"})
    panel = Panel(profiles={**SHIPPED, Profile.ICU: profile})
    judged = abnormal = 0
    for second, values in bed.instants:
        instant = _instant(second, values)
        if instant.values:
            judgement = panel.feed(PATIENT, "bedside-monitor", instant)
            judged += 1
            abnormal += bool(judgement.findings)
    return judged > 0 and abnormal >= NEARLY_ALL * judged
