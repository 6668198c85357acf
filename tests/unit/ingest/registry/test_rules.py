"""What is wrong with an entry, and how it does not fit the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ingest.readings import Vital
from ingest.registry import rules
from ingest.registry.entities import (
    Assignment,
    Device,
    Entity,
    Format,
    Limit,
    Listing,
    Member,
    Model,
    Patient,
    Prescription,
    Profile,
    Trend,
)

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
MODEL = Model("m", "Acme", "M", (Format.VIGIE,), {Vital.SPO2: Listing()}, JANUARY)


def model(**changes: object) -> Model:
    return msgspec.structs.replace(MODEL, **changes)


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        (Patient("p", physician="Dr A"), "`physician` must be a mail address"),
        (Patient("p", physician="a\x00@x.example"), "`physician` must be a mail address"),
        (Patient("p", ens="a\x00b"), "`ens` must be a line of text"),
        (Patient("p", limits={Vital.SPO2: Limit(low=101)}), "limits of spo2 lie between 0 and 100"),
        (Patient("p", limits={Vital.SPO2: Limit(high=float("nan"))}), "lie between 0 and 100"),
        (Patient("p", limits={Vital.SPO2: Limit(95, 90)}), "is above the high one"),
        (
            Patient("p", limits={Vital.SPO2: Limit(88, 92, margin=4)}),
            "the margin of spo2 is 4, and there are only 4 within its limits",
        ),
        (
            Patient("p", limits={Vital.SPO2: Limit(88, margin=float("nan"))}),
            "Expected `float` >= 0.0",
        ),
        (Patient("p", limits={Vital.SPO2: Limit(88, seconds=-1)}), "Expected `float` >= 0.0"),
        (Patient("p", born=1700), "at `born`"),
        (Patient("p", trends={Vital.WEIGHT: Trend(3)}), "neither `rise` nor `fall`"),
        (Patient("p", trends={Vital.SPO2: Trend(3, fall=150)}), "by more than 100"),
        (
            Patient("p", Profile.HOME_HEART, prescriptions={Vital.WEIGHT: Prescription(48)}),
            "home-heart: weight every 24 h, told within 24 h more, is mandatory",
        ),
        (
            Patient("p", Profile.HOME_HEART, prescriptions={Vital.WEIGHT: Prescription(24, 240)}),
            "it cannot be switched off",
        ),
        (Patient("p", prescriptions={Vital.BATTERY: Prescription(24)}), "is the device's"),
        (Patient("p", team=(Member("a;b", "a@x.example"),)), r"team\[1\]: `role`"),
        (Patient("p", team=(Member("a", "x.example"),)), r"team\[1\]: `address`"),
        (Device("d", "m", version=" "), "`version` must be a line of text"),
        (Device("d", "m", clock_offset_seconds=float("nan")), "must be a number"),
        (Device("d", "m", (Assignment("p", JANUARY, JANUARY),)), "ends before it begins"),
        (
            Device("d", "m", (Assignment("p", datetime(1, 1, 1, tzinfo=UTC)),)),
            "a time lies outside the years 1900 to 2200",
        ),
        (
            Device("d", "m", (Assignment("q", NOW), Assignment("p", JANUARY))),
            "overlap: 2026-01-01T00:00:00Z to open and 2026-06-01T00:00:00Z to open",
        ),
        (model(maker=""), "`maker` must be a line of text"),
        (model(formats=()), "`formats` names none"),
        (model(vitals={}), "`vitals` names none"),
        (model(listed_until=JANUARY - timedelta(days=1)), "`until` is before `from`"),
        (model(listed_from=datetime(9999, 1, 1, tzinfo=UTC)), "a time lies outside"),
        (model(vitals={Vital.SPO2: Listing(2, 1)}), "spo2 has a range that holds nothing"),
        (model(vitals={Vital.SPO2: Listing(units=("kg",))}), "spo2 cannot come in 'kg'"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(entity: Entity, expected: str) -> None:
    (fault,) = rules.faults(entity)
    assert pytest.RaisesExc(ValueError, match=expected).matches(ValueError(fault))


def misplaced(device: Device, before: Device | None = None, listed: Model | None = MODEL) -> str:
    models = {} if listed is None else {listed.id: listed}
    return " | ".join(rules.misplaced(device, before, models, {"p"}.__contains__, NOW))


@pytest.mark.parametrize(
    ("listed", "version", "expected"),
    [
        (None, None, "device `d`: model `m` is not in the health store"),
        (model(listed_from=NOW + timedelta(days=1)), None, "is listed from 2026-06-02"),
        (model(listed_until=NOW), None, "is not listed any more, since 2026-06-01"),
        (model(min_version="1.10"), "1.9", "in versions 1.10 to any, and the device has version"),
        (model(max_version="1"), None, "in versions any to 1, and the device has no version"),
    ],
)
def test_a_device_that_the_health_store_does_not_list_is_refused(
    listed: Model | None, version: str | None, expected: str
) -> None:
    assert expected in misplaced(Device("d", "m", version=version), listed=listed)


def test_a_device_of_a_delisted_model_can_still_be_released_and_revoked() -> None:
    before = Device("d", "m", (Assignment("p", JANUARY),))
    delisted = model(listed_until=NOW)
    assert misplaced(Device("d", "m", (Assignment("p", JANUARY, NOW),)), before, delisted) == ""
    assert misplaced(Device("d", "m", revoked=True), before, delisted) == ""
    assert "not listed" in misplaced(Device("d", "m", version="2"), before, delisted)


def test_a_revoked_device_does_not_come_back() -> None:
    before = Device("d", "m", revoked=True)
    assert "was revoked, for good" in misplaced(Device("d", "m"), before)


def test_nobody_unknown_wears_a_device() -> None:
    worn = (Assignment("p", JANUARY, NOW), Assignment("q", NOW))
    assert misplaced(Device("d", "m", worn)) == "device `d`: patient `q` is not in the registry"
