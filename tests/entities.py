"""Any patient, device or model that the registry takes, for hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from ingest.readings import SPECS, Vital
from ingest.registry import rules
from ingest.registry.entities import (
    Assignment,
    Device,
    Format,
    Limit,
    Listing,
    Member,
    Model,
    Patient,
    Prescription,
    Profile,
    Purpose,
    Trend,
)
from ingest.units import taken

if TYPE_CHECKING:
    from collections.abc import Sequence

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
# Any letters and signs, quotes and umlauts, of one line.
texts = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20).map(
    lambda text: f"a {text}"
)
roles = texts.filter(lambda text: not set(text) & set("<>;"))
addresses = st.from_regex(r"[a-z0-9.+']{1,10}@[a-z0-9-]{1,10}\.example", fullmatch=True)
zones = st.integers(-12 * 60, 12 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (the zone is added)


def _limits(vital: Vital) -> st.SearchStrategy[Limit]:
    low, high = SPECS[vital].hard
    pairs = st.lists(st.floats(low, high), min_size=2, max_size=2).map(sorted)
    bounds = st.one_of(
        pairs.map(lambda pair: (pair[0], pair[1])),
        pairs.map(lambda pair: (pair[0], None)),
        pairs.map(lambda pair: (None, pair[1])),
    )
    return st.builds(
        lambda pair, *rest: Limit(*pair, *rest),
        bounds,
        st.none() | st.floats(0, 86_400),
        st.none() | st.integers(1, 1000),
        st.none() | st.floats(0, (high - low) / 8),
        st.booleans(),
    ).filter(lambda limit: not [*rules.faults(Patient("p-1", limits={vital: limit}))])


def _trends(vital: Vital) -> st.SearchStrategy[Trend]:
    low, high = SPECS[vital].hard
    sizes = st.floats(1e-6, high - low)
    return st.builds(Trend, st.floats(0.01, 90), st.none() | sizes, sizes) | st.builds(
        Trend, st.floats(0.01, 90), sizes
    )


prescribed = st.builds(Prescription, st.floats(0.1, 24), st.floats(0, 24))


@st.composite
def patients(draw: st.DrawFn) -> Patient:
    watched = draw(st.lists(st.sampled_from(Vital), unique=True, max_size=4))
    trends = draw(st.lists(st.sampled_from(Vital), unique=True, max_size=2))
    ordered = st.sampled_from([vital for vital in Vital if vital is not Vital.BATTERY])
    return Patient(
        draw(ids),
        draw(st.sampled_from(Profile)),
        {vital: draw(_limits(vital)) for vital in watched},
        draw(st.none() | addresses),
        draw(st.none() | texts),
        draw(st.integers(1, 2)),
        tuple(draw(st.lists(st.sampled_from(Purpose), max_size=5))),
        tuple(draw(st.lists(st.builds(Member, roles, addresses), max_size=3))),
        draw(st.none() | st.integers(1880, 2200)),
        draw(st.booleans()),
        {vital: draw(_trends(vital)) for vital in trends},
        draw(st.dictionaries(ordered, prescribed, max_size=2)),
    )


def _worn(moments: Sequence[datetime], patient: str, *, is_open: bool) -> tuple[Assignment, ...]:
    ordered = sorted(moments)
    ends = [*ordered[1:], None if is_open else ordered[-1] + timedelta(days=1)] if ordered else []
    return tuple(Assignment(patient, a, b) for a, b in zip(ordered, ends, strict=True))


@st.composite
def devices(draw: st.DrawFn, model: str = "bedside-monitor", patient: str = "p-1") -> Device:
    moments = draw(st.lists(times, unique=True, max_size=4))
    zone = draw(zones)
    worn = [
        Assignment(
            one.patient,
            one.start.astimezone(zone),
            None if one.until is None else one.until.astimezone(zone),
        )
        for one in _worn(moments, patient, is_open=draw(st.booleans()))
    ]
    return Device(
        draw(ids),
        model,
        tuple(draw(st.permutations(worn))),
        draw(st.none() | st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}", fullmatch=True)),
        draw(st.floats(-315_532_800, 315_532_800)),
        draw(st.booleans()),
    )


@st.composite
def models(draw: st.DrawFn) -> Model:
    measured = draw(st.lists(st.sampled_from(Vital), unique=True, min_size=1, max_size=5))
    listings = {}
    for vital in measured:
        low, high = sorted(draw(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=2)))
        units = draw(st.lists(st.sampled_from(taken(vital)), unique=True))
        listings[vital] = Listing(
            draw(st.sampled_from((low, None))), draw(st.sampled_from((high, None))), tuple(units)
        )
    start, end = sorted(draw(st.lists(times, min_size=2, max_size=2)))
    return Model(
        draw(ids),
        draw(texts),
        draw(texts),
        tuple(draw(st.lists(st.sampled_from(Format), unique=True, min_size=1))),
        listings,
        start,
        draw(st.sampled_from((end, None))),
        draw(st.sampled_from(("1.2", None))),
        draw(st.sampled_from(("10.0.3", None))),
    )


def is_good(entity: Patient | Device | Model) -> bool:
    """Whether the rules find nothing wrong with it."""
    return not [*rules.faults(entity)]
