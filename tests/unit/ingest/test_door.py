"""Who passes the door, whose reading it is, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from ingest.door import WAYS, Door, Passed
from ingest.formats.catalogue import Formats
from ingest.formats.port import REFUSALS
from ingest.readings import Quality, Refusal, Vital
from ingest.registry.entities import (
    Assignment,
    Device,
    Entity,
    Format,
    Listing,
    Model,
    Patient,
    Profile,
    Purpose,
    key,
)
from ingest.registry.memory import Registry
from ingest.registry.standing import FAULTY_BEFORE

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
EARLY = datetime(2000, 1, 1, tzinfo=UTC)
ALL = dict.fromkeys(Vital, Listing())
MODEL = Model("patch", "Acme", "Patch", tuple(Format), ALL, EARLY)
DEVICE = Device("dev-1", "patch", (Assignment("p-1", EARLY),))
WITHHELD = Patient("p-1", consents=(Purpose.MONITOR,))
TOPIC = "vigie/v1/dev-1/readings"


def known(*entities: Entity) -> Registry:
    registry = Registry()
    for offset, entity in enumerate(entities):
        registry.apply(offset, key(entity), entity)
    return registry


def opened(registry: Registry, *readings: dict[str, Any], topic: str = TOPIC) -> Passed:
    payload = json.dumps({"seq": 7, "readings": list(readings) or [at(NOW, spo2=97)]}).encode()
    return Door(registry, Formats()).open(topic, payload, NOW)


def at(time: datetime, **vitals: object) -> dict[str, Any]:
    return {"time": time.isoformat(), **vitals}


def reasons(passed: Passed) -> list[tuple[str, Refusal]]:
    return [(one.at, one.reason) for one in passed.refused]


def test_a_good_message_of_a_listed_device_goes_to_its_wearer() -> None:
    passed = opened(known(MODEL, DEVICE))
    ((patient, instants),) = passed.live.items()
    assert (passed.device, passed.seq, patient) == ("dev-1", 7, "p-1")
    assert instants[0].values == {Vital.SPO2: 97.0}
    assert (passed.late, passed.refused, passed.secret) == ({}, [], False)


def _listed(**changes: Any) -> Model:
    return structs.replace(MODEL, **changes)


@pytest.mark.parametrize(
    ("entities", "expected"),
    [
        pytest.param([], Refusal.UNKNOWN_DEVICE, id="a stranger"),
        pytest.param([DEVICE], Refusal.MODEL_NOT_LISTED, id="a model that nobody listed"),
        pytest.param(
            [_listed(listed_until=NOW), DEVICE], Refusal.MODEL_NOT_LISTED, id="delisted this moment"
        ),
        pytest.param(
            [_listed(listed_until=NOW + timedelta(microseconds=1)), DEVICE], None, id="not yet"
        ),
        pytest.param(
            [_listed(listed_from=NOW + timedelta(seconds=1)), DEVICE],
            Refusal.MODEL_NOT_LISTED,
            id="listed from a second later on",
        ),
        pytest.param([_listed(listed_from=NOW), DEVICE], None, id="listed from now on"),
        pytest.param(
            [_listed(min_version="2"), DEVICE], Refusal.MODEL_NOT_LISTED, id="of no known version"
        ),
        pytest.param(
            [_listed(min_version="2"), structs.replace(DEVICE, version="1.9")],
            Refusal.MODEL_NOT_LISTED,
            id="too old a version",
        ),
        pytest.param(
            [_listed(min_version="2"), structs.replace(DEVICE, version="2.0")],
            None,
            id="new enough",
        ),
        pytest.param(
            [_listed(min_version="2.0"), structs.replace(DEVICE, version="2")],
            None,
            id="2 is 2.0",
        ),
        pytest.param(
            [_listed(min_version="1"), structs.replace(DEVICE, version="9" * 5000)],
            Refusal.MODEL_NOT_LISTED,
            id="a version of thousands of digits",
        ),
        pytest.param(
            [MODEL, structs.replace(DEVICE, revoked=True)], Refusal.DEVICE_REVOKED, id="revoked"
        ),
        pytest.param(
            [_listed(formats=(Format.FHIR,)), DEVICE],
            Refusal.FORMAT_NOT_LISTED,
            id="a format that the model does not speak",
        ),
    ],
)
def test_the_health_store_decides_who_may_publish(
    entities: list[Entity], expected: Refusal | None
) -> None:
    passed = opened(known(*entities))
    assert reasons(passed) == ([("", expected)] if expected else [])
    assert bool(passed.live) is (expected is None)
    # The device hears of it: the number is read all the same.
    assert passed.seq == 7


@pytest.mark.parametrize(
    ("listing", "reading", "expected"),
    [
        pytest.param({}, {"spo2": 97}, [("readings[0].spo2", "vital-not-listed")], id="a vital"),
        pytest.param(
            {Vital.TEMPERATURE: Listing(units=("Cel",))},
            {"temperature": {"value": 98.6, "unit": "[degF]"}},
            [("readings[0].temperature", "unit-not-listed")],
            id="a unit",
        ),
        pytest.param(
            {Vital.TEMPERATURE: Listing(units=("[degF]",))},
            {"temperature": 37},
            [("readings[0].temperature", "unit-not-listed")],
            id="the vital's own unit",
        ),
        pytest.param(
            {Vital.HEART_RATE: Listing(units=("/min",))},
            {"heart_rate": {"value": 70, "unit": "{beats}/min"}},
            [],
            id="nothing: what stands in braces carries no meaning",
        ),
        pytest.param(
            {Vital.SPO2: Listing(low=70)},
            {"spo2": 60},
            [("readings[0].spo2", "out-of-range")],
            id="a range",
        ),
        pytest.param({Vital.SPO2: Listing(70, 100)}, {"spo2": 70}, [], id="nothing: it is listed"),
    ],
)
def test_a_model_passes_with_what_it_is_listed_for(
    listing: dict[Vital, Listing], reading: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    passed = opened(known(_listed(vitals=listing), DEVICE), at(NOW, **reading))
    assert reasons(passed) == expected
    assert bool(passed.live) is (not expected)


def test_what_is_listed_of_an_instant_passes_without_the_rest() -> None:
    only = _listed(vitals={Vital.SPO2: Listing()})
    passed = opened(known(only, DEVICE), at(NOW, spo2=97, heart_rate=70))
    assert [i.values for i in passed.live["p-1"]] == [{Vital.SPO2: 97.0}]
    assert reasons(passed) == [("readings[0].heart_rate", "vital-not-listed")]


def test_without_consent_to_collect_nothing_passes_and_nothing_may_be_kept() -> None:
    passed = opened(known(MODEL, DEVICE, WITHHELD), at(NOW, spo2=97, heart_rate=70))
    assert reasons(passed) == [("readings[0]", Refusal.NO_CONSENT)]
    assert (passed.live, passed.late, passed.secret, passed.values) == ({}, {}, True, 0)


def test_nor_may_what_is_wrong_with_such_a_message_be_kept() -> None:
    passed = opened(known(MODEL, DEVICE, WITHHELD), at(NOW, spo2=970))
    assert reasons(passed) == [("readings[0].spo2", Refusal.OUT_OF_RANGE)]
    assert passed.secret
    revoked = structs.replace(DEVICE, revoked=True)
    assert opened(known(MODEL, revoked, WITHHELD)).secret


def test_a_device_handed_on_is_kept_for_the_one_who_agreed() -> None:
    shared = Device(
        "dev-1",
        "patch",
        (Assignment("p-1", EARLY, NOW - timedelta(minutes=30)), Assignment("p-2", NOW)),
    )
    before, between = NOW - timedelta(minutes=40), NOW - timedelta(minutes=10)
    readings = [at(time, spo2=97) for time in (before, between, NOW)]
    passed = opened(known(MODEL, shared, WITHHELD), *readings)
    assert list(passed.live) == ["p-2"]
    assert reasons(passed) == [
        ("readings[0]", Refusal.NO_CONSENT),
        ("readings[1]", Refusal.NOT_ASSIGNED),
    ]
    assert passed.secret


GONE = timedelta(days=1)
# Worn until a day ago by somebody who has not agreed, and now by somebody who has.
HANDED_ON = Device(
    "dev-1", "patch", (Assignment("p-1", EARLY, NOW - GONE), Assignment("p-2", NOW - GONE))
)


@pytest.mark.parametrize(
    ("model", "reading", "secret"),
    [
        pytest.param(MODEL, at(NOW, spo2=970), True, id="a fault: nobody knows whose"),
        pytest.param(MODEL, {"time": "x", "spo2": 97}, True, id="a time that cannot be read"),
        pytest.param(_listed(vitals={}), at(NOW, spo2=97), False, id="a vital too many, of now"),
        pytest.param(_listed(listed_until=NOW), at(NOW, spo2=97), False, id="delisted, of now"),
        pytest.param(
            _listed(listed_until=NOW), at(NOW - 2 * GONE, spo2=97), True, id="delisted, of then"
        ),
        pytest.param(_listed(listed_until=NOW), at(NOW, spo2=970), True, id="delisted, a fault"),
    ],
)
def test_of_a_device_handed_on_nothing_is_kept_that_may_be_of_who_has_not_agreed(
    model: Model, reading: dict[str, Any], *, secret: bool
) -> None:
    assert opened(known(model, HANDED_ON, WITHHELD), reading).secret is secret


def test_what_a_faulty_message_may_hold_ends_a_month_after_the_device_was_taken_off() -> None:
    long_ago = NOW - FAULTY_BEFORE
    device = Device(
        "dev-1", "patch", (Assignment("p-1", EARLY, long_ago), Assignment("p-2", long_ago))
    )
    assert not opened(known(MODEL, device, WITHHELD), at(NOW, spo2=970)).secret
    # A reading with a time of then is known to be of then.
    assert opened(known(MODEL, device, WITHHELD), at(long_ago - GONE, spo2=97)).secret


@pytest.mark.parametrize("rest", ["raw/nobody", "nowhere"])
def test_nothing_is_kept_of_who_has_not_agreed_on_a_topic_that_nothing_reads(rest: str) -> None:
    topic = f"vigie/v1/dev-1/{rest}"
    passed = opened(known(MODEL, DEVICE, WITHHELD), topic=topic)
    assert passed.secret
    assert not opened(known(MODEL, DEVICE), topic=topic).secret
    assert opened(known(MODEL, DEVICE), topic=topic).device == "dev-1"


def test_a_wrong_clock_makes_no_secret_of_a_message_that_is_refused_whole() -> None:
    year = timedelta(days=365)
    device = structs.replace(HANDED_ON, clock_offset_seconds=-year.total_seconds(), revoked=True)
    assert not opened(known(MODEL, device, WITHHELD), at(NOW + year, spo2=97)).secret
    assert opened(known(MODEL, device, WITHHELD), at(NOW + year - 2 * GONE, spo2=97)).secret


def test_a_message_half_live_and_half_late_of_two_patients_is_laid_on_four_heaps() -> None:
    hour = timedelta(hours=1)
    swap = NOW - hour / 2
    device = Device("dev-1", "patch", (Assignment("p-1", EARLY, swap), Assignment("p-2", swap)))
    icu = Patient("p-2", profile=Profile.ICU)
    times = [NOW - 2 * hour, NOW - 0.6 * hour, NOW - 0.4 * hour, NOW]
    passed = opened(known(MODEL, device, icu), *[at(time, spo2=97) for time in times])
    heaps = [(p, i.time) for heap in (passed.late, passed.live) for p in heap for i in heap[p]]
    assert heaps == [
        ("p-1", times[0]),
        ("p-2", times[2]),
        ("p-1", times[1]),
        ("p-2", times[3]),
    ]
    assert (passed.values, passed.refused) == (4, [])


def test_more_refusals_than_are_listed_end_with_one_that_says_so_and_the_good_is_kept() -> None:
    only = _listed(vitals={Vital.WEIGHT: Listing()})
    wrong = {f"x{number}": 1 for number in range(REFUSALS)}
    passed = opened(known(only, DEVICE), at(NOW, weight=70, spo2=97), at(NOW, **wrong))
    assert len(passed.refused) == REFUSALS + 1
    assert {one.reason for one in passed.refused[:-1]} == {Refusal.UNKNOWN_VITAL}
    assert reasons(passed)[-1] == ("readings[0].spo2", Refusal.TOO_MANY)
    assert [i.values for i in passed.live["p-1"]] == [{Vital.WEIGHT: 70.0}]


@pytest.mark.parametrize(
    ("profile", "age", "late"),
    [
        pytest.param(Profile.ICU, timedelta(minutes=15), False, id="icu, a quarter of an hour"),
        pytest.param(Profile.ICU, timedelta(minutes=15, seconds=1), True, id="icu, and a second"),
        pytest.param(Profile.WARD, timedelta(minutes=59), False, id="ward, an hour"),
        pytest.param(Profile.WARD, timedelta(minutes=61), True, id="ward, more than an hour"),
        pytest.param(Profile.HOME_HEART, timedelta(hours=23), False, id="home, this morning's"),
        pytest.param(Profile.HOME_HEART, timedelta(hours=25), True, id="home, yesterday's"),
    ],
)
def test_readings_older_than_the_live_window_take_the_backfill_lane_marked(
    profile: Profile, age: timedelta, *, late: bool
) -> None:
    registry = known(MODEL, DEVICE, Patient("p-1", profile=profile))
    passed = opened(registry, at(NOW - age, spo2=97), at(NOW, spo2=40))
    heap = passed.late if late else passed.live
    assert heap["p-1"][0].time == NOW - age
    assert heap["p-1"][0].quality == ({Vital.SPO2: Quality.BACKFILLED} if late else {})
    assert passed.live["p-1"][-1].quality == {Vital.SPO2: Quality.SUSPECT}


def test_a_clock_is_corrected_by_the_registry_and_marked() -> None:
    """It is a year ahead: without the setting everything would be refused."""
    year = timedelta(days=365)
    device = structs.replace(DEVICE, clock_offset_seconds=-year.total_seconds())
    passed = opened(known(MODEL, device), at(NOW + year, spo2=97), at(NOW + 2 * year, spo2=97))
    (instant,) = passed.live["p-1"]
    assert (instant.time, instant.quality) == (NOW, {Vital.SPO2: Quality.CORRECTED})
    assert reasons(passed) == [("readings[1].time", Refusal.TIME_AHEAD)]
    assert reasons(opened(known(MODEL, DEVICE), at(NOW + year, spo2=97))) == [
        ("readings[0].time", Refusal.TIME_AHEAD)
    ]


@pytest.mark.parametrize(
    "topic",
    [
        "vigie/v1/dev-1/nowhere",
        "vigie/v1/readings",
        "vigie/v1//readings",
        "other/dev-1/readings",
        "",
    ],
)
def test_a_foreign_topic_is_named_as_such(topic: str) -> None:
    assert reasons(opened(known(MODEL, DEVICE), topic=topic)) == [("", Refusal.UNKNOWN_TOPIC)]


def test_inventing_topics_fills_no_memory() -> None:
    door = Door(known(MODEL, DEVICE), Formats())
    for number in range(WAYS + 10):
        door.open(f"vigie/v1/stranger-{number}/readings", b"", NOW)
    assert len(door._ways) <= WAYS


def test_a_change_of_the_registry_holds_from_the_next_message_on() -> None:
    registry = known(MODEL, DEVICE)
    door = Door(registry, Formats())
    payload = json.dumps({"seq": 7, "readings": [at(NOW, spo2=97)]}).encode()
    assert door.open(TOPIC, payload, NOW).live
    registry.apply(9, key(WITHHELD), WITHHELD)
    assert not door.open(TOPIC, payload, NOW).live
    registry.apply(10, key(MODEL), None)
    assert reasons(door.open(TOPIC, payload, NOW)) == [("", Refusal.MODEL_NOT_LISTED)]
