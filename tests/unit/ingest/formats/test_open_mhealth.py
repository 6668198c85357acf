"""Open mHealth and IEEE 1752.1: what is taken, what is refused, where, and why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ingest.formats.open_mhealth import POINTS, decode
from ingest.readings import Instant, Original, Vital
from tests.contract.format_cases import header

if TYPE_CHECKING:
    from ingest.formats.port import Decoded

NOW = datetime(2026, 11, 24, 3, 0, 5, tzinfo=UTC)
TIME = "2026-11-24T04:00:00+01:00"
MOMENT = datetime(2026, 11, 24, 3, tzinfo=UTC)
SEVENTY = {"value": 70, "unit": "beats/min"}


def point(schema: str = "heart-rate", name: str = "point-1", **body: Any) -> dict[str, Any]:
    body.setdefault("effective_time_frame", {"date_time": TIME})
    return {"header": header(schema, name), "body": body}


def during(**interval: Any) -> dict[str, Any]:
    return {"time_interval": interval}


def read(message: object) -> Decoded:
    return decode(json.dumps(message).encode(), "dev-1", NOW)


def told(decoded: Decoded) -> list[tuple[str, str]]:
    return [(one.at, one.reason.value) for one in decoded.refused]


def test_a_data_point_comes_whole() -> None:
    decoded = read(
        point(
            "oxygen-saturation",
            oxygen_saturation={"value": 95, "unit": "%"},
            supplemental_oxygen_flow_rate={"value": 0, "unit": "L/min"},
            system="peripheral capillary",
            measurement_method="pulse oximetry",
            descriptive_statistic="median",
        )
    )
    assert decoded.instants == [Instant(MOMENT, {Vital.SPO2: 95, Vital.OXYGEN_FLOW: 0})]
    assert (decoded.seq, decoded.id, decoded.refused) == (None, "point-1", [])


def test_a_list_and_a_series_are_taken_and_the_original_is_kept() -> None:
    series = point("body-temperature", "series")
    frame = {"effective_time_frame": {"date_time": TIME}}
    series["body"] = [
        {"body_temperature": {"value": 98.6, "unit": "F"}, **frame},
        {"body_temperature": {"value": 37, "unit": "K"}, **frame},
    ]
    series["header"]["schema_id"]["namespace"] = "ieee"
    decoded = read([point(heart_rate=SEVENTY), series])
    assert decoded.instants == [
        Instant(
            MOMENT,
            {Vital.HEART_RATE: 70, Vital.TEMPERATURE: 37},
            original={Vital.TEMPERATURE: Original(98.6, "[degF]")},
        )
    ]
    assert told(decoded) == [("[1].body[1].body_temperature", "out-of-range")]
    assert decoded.id == "point-1"


def test_the_name_of_ieee_is_its_uuid() -> None:
    message = point(heart_rate=SEVENTY)
    message["header"]["uuid"] = message["header"].pop("id")
    assert read(message).id == "point-1"


DAY = during(start_date_time="2026-11-23T03:00:00Z", end_date_time=TIME)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"effective_time_frame": DAY}, id="from start to end"),
        pytest.param(
            {
                "effective_time_frame": during(
                    start_date_time="2026-11-23T03:00:00Z", duration={"value": 1, "unit": "d"}
                )
            },
            id="start and length",
        ),
        pytest.param(
            {
                "effective_time_frame": during(
                    end_date_time=TIME, duration={"value": 24, "unit": "h"}
                )
            },
            id="end and length",
        ),
        pytest.param(
            {
                "effective_time_frame": during(
                    start_date_time="2026-10-24T03:00:00Z", end_date_time=TIME
                ),
                "descriptive_statistic": "average",
                "descriptive_statistic_denominator": "d",
            },
            id="a day's average of a month",
        ),
    ],
)
def test_steps_of_a_day_are_taken_at_its_end(body: dict[str, Any]) -> None:
    for count in (6000, {"value": 6000, "unit": "steps"}):
        decoded = read(point("step-count", step_count=count, **body))
        assert decoded.refused == []
        assert decoded.instants == [Instant(MOMENT, {Vital.STEPS: 6000})]


def changed(*path: str, **changes: Any) -> dict[str, Any]:
    """Make a data point of a heart rate of 70, with changes to the object at this place."""
    made = point(heart_rate=SEVENTY)
    place = made
    for name in path:
        place = place[name]
    place.update(changes)
    return made


SCHEMA = ("header", "schema_id")
FRAME = "body.effective_time_frame"


@pytest.mark.parametrize(
    ("message", "at", "reason"),
    [
        pytest.param({}, "header", "unknown-code", id="nothing of Open mHealth"),
        pytest.param([], "", "no-vitals", id="an empty list"),
        pytest.param([7], "[0]", "not-an-object", id="a list of numbers"),
        pytest.param([{}] * (POINTS + 1), "", "bad-readings", id="a flood"),
        pytest.param(
            changed("header", schema_id="omh:heart-rate:2.0"),
            "header.schema_id",
            "unknown-code",
            id="a schema in a word",
        ),
        pytest.param(
            changed(*SCHEMA, namespace="granola"),
            "header.schema_id.namespace",
            "unknown-code",
            id="schemas of others",
        ),
        pytest.param(
            changed(*SCHEMA, name="sleep-episode"),
            "header.schema_id.name",
            "unknown-code",
            id="a schema that is no vital",
        ),
        pytest.param(changed(body=None), "body", "not-an-object", id="no body"),
        pytest.param(changed(body=[]), "body", "bad-readings", id="a series of none"),
        pytest.param(changed(body=[7]), "body[0]", "not-an-object", id="a series of numbers"),
        pytest.param(
            changed(body={"effective_time_frame": {"date_time": TIME}}),
            "body",
            "no-vitals",
            id="a body without its measure",
        ),
        pytest.param(
            changed("body", effective_time_frame=None), FRAME, "bad-time", id="a frame that is null"
        ),
        pytest.param(
            changed(body={"heart_rate": SEVENTY}), FRAME, "missing-time", id="no time frame"
        ),
        pytest.param(
            changed("body", effective_time_frame={}),
            f"{FRAME}.date_time",
            "missing-time",
            id="an empty frame",
        ),
        pytest.param(
            changed("body", effective_time_frame={"date_time": "2026-11-24T03:00:00"}),
            f"{FRAME}.date_time",
            "no-time-zone",
            id="no zone",
        ),
        pytest.param(
            changed("body", effective_time_frame={"time_interval": TIME}),
            f"{FRAME}.time_interval",
            "bad-time",
            id="an interval that is none",
        ),
        pytest.param(
            changed("body", effective_time_frame=during(start_date_time=TIME)),
            f"{FRAME}.time_interval.end_date_time",
            "missing-time",
            id="an interval without an end",
        ),
        pytest.param(
            changed("body", effective_time_frame=during(start_date_time="x", end_date_time=TIME)),
            f"{FRAME}.time_interval.start_date_time",
            "bad-time",
            id="an interval with a bad start",
        ),
        pytest.param(
            changed("body", effective_time_frame=during(date="2026-11-24", part_of_day="morning")),
            f"{FRAME}.time_interval.end_date_time",
            "missing-time",
            id="a morning",
        ),
        pytest.param(
            changed(
                "body",
                effective_time_frame=during(
                    start_date_time=TIME, duration={"value": 1, "unit": "Mo"}
                ),
            ),
            f"{FRAME}.time_interval.duration",
            "bad-time",
            id="for a month, whatever that is",
        ),
        pytest.param(
            changed(
                "body",
                effective_time_frame=during(
                    start_date_time=TIME, duration={"value": 1e9, "unit": "d"}
                ),
            ),
            f"{FRAME}.time_interval.duration",
            "bad-time",
            id="for longer than time",
        ),
        pytest.param(
            changed(
                "body",
                effective_time_frame=during(
                    start_date_time=TIME, duration={"value": 9e8, "unit": "d"}
                ),
            ),
            f"{FRAME}.time_interval.duration",
            "time-ahead",
            id="to the end of time",
        ),
        pytest.param(
            changed(
                "body",
                effective_time_frame=during(
                    end_date_time=TIME, duration={"value": True, "unit": "d"}
                ),
            ),
            f"{FRAME}.time_interval.duration",
            "bad-time",
            id="true days",
        ),
        pytest.param(
            changed("body", effective_time_frame=during(end_date_time=TIME, duration=1)),
            f"{FRAME}.time_interval.duration",
            "bad-time",
            id="for one what",
        ),
        pytest.param(
            changed(
                "body",
                effective_time_frame=during(
                    start_date_time="2026-11-17T03:00:00Z", end_date_time=TIME
                ),
                descriptive_statistic="average",
            ),
            "body.heart_rate",
            "unsupported",
            id="the average of a week",
        ),
        pytest.param(
            changed(
                "body",
                effective_time_frame=during(
                    start_date_time="2026-11-24T03:00:01Z", end_date_time=TIME
                ),
            ),
            f"{FRAME}.time_interval",
            "bad-time",
            id="from its end to its start",
        ),
        pytest.param(
            changed("body", descriptive_statistic="standard deviation"),
            "body.descriptive_statistic",
            "unsupported",
            id="a deviation is no heart rate",
        ),
        pytest.param(
            changed("body", descriptive_statistic=["average"]),
            "body.descriptive_statistic",
            "unsupported",
            id="a statistic that is no word",
        ),
        pytest.param(
            changed("body", heart_rate=70), "body.heart_rate", "missing-unit", id="a bare number"
        ),
        pytest.param(changed("body", heart_rate=None), "body.heart_rate", "null", id="null"),
        pytest.param(
            changed("body", heart_rate="70"), "body.heart_rate", "not-an-object", id="a text"
        ),
        pytest.param(
            changed("body", heart_rate={"value": 70}),
            "body.heart_rate.unit",
            "missing-unit",
            id="no unit",
        ),
        pytest.param(
            changed("body", heart_rate={"value": 70, "unit": "breaths/min"}),
            "body.heart_rate.unit",
            "unit-contradicts-code",
            id="breaths of a heart",
        ),
        pytest.param(
            changed("body", heart_rate={"value": 70, "unit": "bpm"}),
            "body.heart_rate.unit",
            "unknown-unit",
            id="a unit of nobody",
        ),
        pytest.param(
            changed("body", heart_rate={"value": True, "unit": "beats/min"}),
            "body.heart_rate",
            "not-a-number",
            id="true beats",
        ),
        pytest.param(
            changed("body", heart_rate={"unit": "beats/min"}), "body.heart_rate", "null", id="void"
        ),
        pytest.param(
            point("step-count", step_count={"value": 9, "unit": "steps"}),
            "body.step_count",
            "unsupported",
            id="steps of a moment",
        ),
        pytest.param(
            point(
                "step-count",
                step_count={"value": 9, "unit": "steps"},
                effective_time_frame=during(
                    start_date_time="2026-11-24T02:00:00Z", end_date_time=TIME
                ),
            ),
            "body.step_count",
            "unsupported",
            id="steps of an hour",
        ),
        pytest.param(
            point(
                "step-count",
                step_count={"value": 9, "unit": "steps"},
                effective_time_frame=DAY,
                descriptive_statistic_denominator="wk",
            ),
            "body.step_count",
            "unsupported",
            id="steps of a week",
        ),
    ],
)
def test_what_is_refused_where_and_why(message: object, at: str, reason: str) -> None:
    decoded = read(message)
    assert (decoded.instants, told(decoded)) == ([], [(at, reason)])


def test_a_measure_that_the_schema_does_not_know_is_refused_beside_the_others() -> None:
    decoded = read(
        changed("body", oxygen_saturation={"value": 95, "unit": "%"}, steps=12, seen=True)
    )
    assert decoded.instants == [Instant(MOMENT, {Vital.HEART_RATE: 70})]
    assert told(decoded) == [
        ("body.oxygen_saturation", "unknown-field"),
        ("body.steps", "unknown-field"),
    ]


def test_a_list_that_is_too_long_is_named_all_the_same() -> None:
    refused = read([point(), *[0] * POINTS])
    assert (refused.id, told(refused)) == ("point-1", [("", "bad-readings")])


def test_half_a_surrogate_pair_in_a_name_can_be_told_in_a_receipt() -> None:
    decoded = read(changed("body", **{"\ud800": 7}))
    assert told(decoded) == [("body.?", "unknown-field")]


def test_no_refusal_tells_of_the_patient() -> None:
    surname = "MARTIN"
    message = changed("header", user_id=surname, id=surname + "\n")
    message["header"]["schema_id"]["name"] = surname
    assert surname not in repr(read(message))
