"""One entry changed by a command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ingest.readings import Vital
from ingest.registry import audit, editing, rules, store
from ingest.registry.entities import (
    Assignment,
    Device,
    Format,
    Limit,
    Listing,
    Model,
    Patient,
    Prescription,
    Profile,
    Trend,
    key,
)

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
PATIENT = Patient("p", Profile.ICU, {Vital.SPO2: Limit(low=88)}, "dr@x.example")
DEVICE = Device("d", "m", (Assignment("p", JANUARY),), "1.2")
MODEL = Model("m", "Acme", "M", (Format.VIGIE,), {Vital.SPO2: Listing()}, JANUARY)
KNOWN = {key(one): one for one in (PATIENT, DEVICE, MODEL)}


def test_a_device_is_released_and_given_to_another() -> None:
    ended = Assignment("p", JANUARY, JUNE)
    released = editing.released(KNOWN, "d", JUNE)
    assert released == Device("d", "m", (ended,), "1.2")
    given = editing.assigned({key(released): released}, "d", "q", JUNE, None)
    assert given == Device("d", "m", (ended, Assignment("q", JUNE)), "1.2")


def test_a_device_that_nobody_wears_cannot_be_released() -> None:
    with pytest.raises(store.RegistryRefused, match="worn by nobody"):
        editing.released(KNOWN, "d", JANUARY - timedelta(seconds=1))


def test_a_limit_is_set_and_taken_away_and_the_others_stay() -> None:
    set_ = editing.limited(KNOWN, "p", Vital.HEART_RATE, Limit(low=50))
    assert set_.limits == {Vital.SPO2: Limit(low=88), Vital.HEART_RATE: Limit(low=50)}
    assert set_.physician == "dr@x.example"
    assert editing.limited(KNOWN, "p", Vital.SPO2, None).limits == {}


def test_a_trend_and_a_prescription_are_set_and_taken_back() -> None:
    set_ = editing.trended(KNOWN, "p", Vital.WEIGHT, Trend(3, rise=2))
    assert set_.trends == {Vital.WEIGHT: Trend(3, rise=2)}
    assert editing.trended({key(set_): set_}, "p", Vital.WEIGHT, None).trends == {}
    told = editing.prescribed(KNOWN, "p", Vital.GLUCOSE, Prescription(8))
    assert told.prescriptions == {Vital.GLUCOSE: Prescription(8, 12)}
    assert editing.prescribed({key(told): told}, "p", Vital.GLUCOSE, None) == PATIENT
    with pytest.raises(store.RegistryRefused, match="glucose is not prescribed"):
        editing.prescribed(KNOWN, "p", Vital.GLUCOSE, None)


def test_the_daily_weight_in_heart_failure_can_be_made_stricter_and_not_taken_away() -> None:
    heart = Patient("h", Profile.HOME_HEART)
    with pytest.raises(store.RegistryRefused, match="cannot be switched off"):
        editing.prescribed({key(heart): heart}, "h", Vital.WEIGHT, None)
    stricter = editing.prescribed({key(heart): heart}, "h", Vital.WEIGHT, Prescription(12, 2))
    assert not [*rules.faults(stricter)]
    assert editing.prescribed({key(stricter): stricter}, "h", Vital.WEIGHT, None) == heart


def test_what_news2_must_know_is_set_and_what_is_not_told_stays() -> None:
    scored = editing.scored(KNOWN, "p", scale=2, born=None, pregnant=None)
    assert (scored.spo2_scale, scored.born, scored.pregnant) == (2, None, False)
    both = editing.scored({key(scored): scored}, "p", scale=None, born=2015, pregnant=True)
    assert (both.spo2_scale, both.born, both.pregnant) == (2, 2015, True)


def test_a_model_is_delisted() -> None:
    assert editing.delisted(KNOWN, "m", JUNE).listed_until == JUNE


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(store.NotInRegistry, match="device `x` is not in the registry"):
        editing.released(KNOWN, "x", JUNE)
    with pytest.raises(store.NotInRegistry, match="patient `x` is not in the registry"):
        editing.limited(KNOWN, "x", Vital.SPO2, Limit(1, 2))
    with pytest.raises(store.NotInRegistry, match="model `x` is not in the health store"):
        editing.delisted(KNOWN, "x", JUNE)


def test_a_change_is_told_field_by_field_and_no_number_of_a_person() -> None:
    before = Patient("p", ens="1234567")
    after = Patient("p", Profile.ICU, ens="7654321", consents=())
    assert msgspec.json.decode(audit.canonical(store.difference(before, after))) == {
        "profile": ["ward", "icu"],
        "ens": ["set", "set"],
        "consents": [["collect", "monitor", "share"], []],
    }
    assert store.difference(None, before)["ens"] == [None, "set"]
    assert "1234567" not in str(store.difference(None, before))
