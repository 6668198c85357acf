"""Every refusal: reached through the real code, counted from zero, and explained in the docs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest import metrics
from ingest.door import Door, Passed
from ingest.formats.catalogue import Formats
from ingest.readings import Refusal, Vital
from ingest.registry.entities import (
    Assignment,
    Device,
    Entity,
    Format,
    Listing,
    Model,
    Patient,
    Purpose,
    key,
)
from ingest.registry.memory import Registry
from streams.batch import Record, apply
from streams.state import Watches
from tests.unit.streams.log import Counting, bundle, context, message, progress

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "refusals.md"
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
EARLY = datetime(2000, 1, 1, tzinfo=UTC)
FREE = dict.fromkeys(Vital, Listing())
# Worn by a patient who agrees; one device's model measures little, the next one's patient does not
# agree, and one is worn by nobody since yesterday.
REGISTRY_OF: tuple[Entity, ...] = (
    Model("any", "Acme", "Any", tuple(Format), FREE, EARLY),
    Model("cuff", "Acme", "Cuff", (Format.VIGIE,), {Vital.WEIGHT: Listing(units=("kg",))}, EARLY),
    Model("old", "Acme", "Old", tuple(Format), FREE, EARLY, listed_until=NOW),
    Patient("p-1"),
    Patient("p-2", consents=(Purpose.MONITOR,)),
    Device("dev", "any", (Assignment("p-1", EARLY),)),
    Device("narrow", "cuff", (Assignment("p-1", EARLY),)),
    Device("delisted", "old", (Assignment("p-1", EARLY),)),
    Device("revoked", "any", (Assignment("p-1", EARLY),), revoked=True),
    Device("withheld", "any", (Assignment("p-2", EARLY),)),
    Device("shelved", "any", (Assignment("p-1", EARLY, NOW - timedelta(days=1)),)),
)

TIME = NOW.isoformat()


def readings(*given: Any, **fields: Any) -> Any:
    return {"seq": 7, "readings": list(given), **fields}


def one(**vitals: Any) -> Any:
    return readings({"time": TIME, **vitals})


def timed(time: Any) -> Any:
    return readings({"time": time, "spo2": 97})


def observation(**changes: Any) -> Any:
    """Build a FHIR Observation; None leaves a member out."""
    whole = {
        "resourceType": "Observation",
        "id": "obs-1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "effectiveDateTime": TIME,
        "valueQuantity": quantity(72),
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def quantity(value: Any, code: str | None = "/min") -> Any:
    found = {"value": value, "system": "http://unitsofmeasure.org", "code": code}
    return {name: given for name, given in found.items() if given is not None}


def notified(characteristic: str, octets: str) -> Any:
    one = {"characteristic": characteristic, "time": TIME, "hex": octets}
    return {"seq": 7, "notifications": [one]}


READINGS, FHIR, GATT, PATCH = "dev/readings", "dev/fhir", "dev/gatt", "dev/raw/acme-patch"
CASES: list[tuple[Refusal, str, Any]] = [
    (Refusal.EMPTY, READINGS, b""),
    (Refusal.TOO_LARGE, READINGS, b" " * (256 * 1024 + 1)),
    (Refusal.NOT_JSON, READINGS, b"heart rate 70"),
    (Refusal.TOO_DEEP, READINGS, b'{"seq": ' + b"[" * 100_000),
    (Refusal.NOT_AN_OBJECT, READINGS, b"[1, 2]"),
    (Refusal.BAD_SEQ, READINGS, {"readings": []}),
    (Refusal.BAD_READINGS, READINGS, {"seq": 7, "readings": {}}),
    (Refusal.UNKNOWN_FIELD, READINGS, one(spo2={"value": 97, "unit": "%", "note": "x"})),
    (Refusal.UNKNOWN_VITAL, READINGS, one(heart_rat=70)),
    (Refusal.UNKNOWN_UNIT, READINGS, one(temperature={"value": 37, "unit": "parsec"})),
    (Refusal.NOT_A_NUMBER, READINGS, one(heart_rate="70")),
    (
        Refusal.NOT_FINITE,
        READINGS,
        f'{{"seq": 7, "readings": [{{"time": "{TIME}", "spo2": NaN}}]}}',
    ),
    (Refusal.NULL, READINGS, one(spo2=None)),
    (Refusal.UNKNOWN_CODE, READINGS, one(consciousness="X")),
    (Refusal.OUT_OF_RANGE, READINGS, one(spo2=400)),
    (Refusal.NO_VITALS, READINGS, one()),
    (Refusal.MISSING_TIME, READINGS, readings({"spo2": 97})),
    (Refusal.BAD_TIME, READINGS, timed("yesterday")),
    (Refusal.NO_TIME_ZONE, READINGS, timed("2026-11-24T03:00:00")),
    (Refusal.TIME_AHEAD, READINGS, timed((NOW + timedelta(minutes=11)).isoformat())),
    (Refusal.TIME_TOO_OLD, READINGS, timed("1970-01-01T00:00:00Z")),
    (
        Refusal.ABSENT,
        FHIR,
        observation(valueQuantity=None, dataAbsentReason={"text": "the sensor is off"}),
    ),
    (
        Refusal.REPEATED,
        FHIR,
        {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [
                {"resource": observation()},
                {"resource": observation(valueQuantity=quantity(90))},
            ],
        },
    ),
    (Refusal.UNSUPPORTED, FHIR, {"resourceType": "Appointment", "id": "a-1"}),
    (Refusal.NOT_FINAL, FHIR, observation(status="preliminary")),
    (Refusal.MISSING_UNIT, FHIR, observation(valueQuantity=quantity(72, None))),
    (Refusal.UNIT_CONTRADICTS_CODE, FHIR, observation(valueQuantity=quantity(72, "mm[Hg]"))),
    (Refusal.BAD_HEX, GATT, notified("2a37", "zz")),
    (Refusal.TRUNCATED, GATT, notified("2a37", "16")),
    (Refusal.NO_MATCH, PATCH, {"kind": "firmware"}),
    (
        Refusal.TOO_MANY,
        READINGS,
        readings({"time": TIME, **{f"x{number}": 1 for number in range(10_001)}}),
    ),
    (Refusal.UNKNOWN_TEMPLATE, "dev/raw/nobody", {}),
    (Refusal.UNKNOWN_TOPIC, "dev/telemetry", one(spo2=97)),
    (Refusal.UNKNOWN_DEVICE, "stranger/readings", one(spo2=97)),
    (Refusal.DEVICE_MISMATCH, READINGS, one(spo2=97) | {"device": "another"}),
    (Refusal.DEVICE_REVOKED, "revoked/readings", one(spo2=97)),
    (Refusal.MODEL_NOT_LISTED, "delisted/readings", one(spo2=97)),
    (Refusal.FORMAT_NOT_LISTED, "narrow/fhir", observation()),
    (Refusal.VITAL_NOT_LISTED, "narrow/readings", one(spo2=97)),
    (Refusal.UNIT_NOT_LISTED, "narrow/readings", one(weight={"value": 150, "unit": "[lb_av]"})),
    (Refusal.NOT_ASSIGNED, "shelved/readings", one(spo2=97)),
    (Refusal.NO_CONSENT, "withheld/readings", one(spo2=97)),
]
BY_THE_WORKER = {Refusal.UNDECODABLE, Refusal.DETECTOR_FAILED}


def known() -> Registry:
    registry = Registry()
    for offset, entity in enumerate(REGISTRY_OF):
        registry.apply(offset, key(entity), entity)
    return registry


def opened(way: str, content: Any) -> Passed:
    if isinstance(content, str):
        content = content.encode()
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Door(known(), Formats()).open(f"vigie/v1/{way}", payload, NOW)


@pytest.mark.parametrize(
    ("reason", "way", "content"), [pytest.param(*case, id=case[0].value) for case in CASES]
)
def test_the_gateway_refuses(reason: Refusal, way: str, content: Any) -> None:
    passed = opened(way, content)
    told = {one.reason for one in passed.refused}
    # Too much is never refused alone: what comes before is listed by its own reasons.
    assert told == ({reason, Refusal.UNKNOWN_VITAL} if reason is Refusal.TOO_MANY else {reason})


def test_the_worker_refuses_what_it_cannot_read_and_what_breaks_a_detector() -> None:
    records = [Record(0, 0, b"no record of ours"), bundle(1, message(heart_rate=13))]
    work = apply(progress(), records, Watches(0, {}, Counting), context())
    assert {one.refused[0].reason for one in work.rejected} == BY_THE_WORKER


def test_no_reason_is_forgotten() -> None:
    assert {reason for reason, _, _ in CASES} | BY_THE_WORKER == set(Refusal)


def test_each_reason_has_a_series_from_the_start() -> None:
    (counted,) = metrics.REFUSED.collect()
    born = {one.labels["reason"] for one in counted.samples if one.name.endswith("_total")}
    assert born == {reason.value for reason in Refusal}


def test_each_reason_is_explained_and_nothing_else_is() -> None:
    headings = re.findall(r"^### `(.+)`$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(reason.value for reason in Refusal)


@pytest.mark.parametrize("reason", list(Refusal))
def test_each_explanation_says_what_to_do(reason: Refusal) -> None:
    section = DOCS.read_text(encoding="utf-8").split(f"### `{reason}`\n")[1].split("\n#")[0]
    assert re.search(r"^\*(Device maker|Site|Vigie's operator)\*: ", section, re.MULTILINE)
