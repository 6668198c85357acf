"""English words. Times are UTC, and say so: the reader may be anywhere."""

from __future__ import annotations

from datetime import UTC
from types import MappingProxyType
from typing import TYPE_CHECKING

from detectors.explain.words import Noun, Times, Words
from detectors.findings import Against, Pattern
from ingest.readings import Vital

if TYPE_CHECKING:
    from datetime import datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _noun(words: str) -> Noun:
    return Noun(words, words, f"of {words}")


def _date(moment: datetime, year: bool) -> str:  # noqa: FBT001 (a table's function)
    day = f"{moment.day} {_MONTHS[moment.month - 1]}"
    return f"{day} {moment.year}" if year else day


USUAL = "what is usual for this patient"
ENGLISH = Words(
    decimal=".",
    colon=": ",
    semicolon="; ",
    vitals=MappingProxyType(
        {
            Vital.HEART_RATE: _noun("heart rate"),
            Vital.PULSE_RATE: _noun("pulse rate"),
            Vital.RESPIRATORY_RATE: _noun("respiratory rate"),
            Vital.SPO2: _noun("oxygen saturation (SpO2)"),
            Vital.TEMPERATURE: _noun("temperature"),
            Vital.SYSTOLIC: _noun("systolic blood pressure"),
            Vital.DIASTOLIC: _noun("diastolic blood pressure"),
            Vital.MEAN_PRESSURE: _noun("mean blood pressure"),
            Vital.WEIGHT: _noun("weight"),
            Vital.GLUCOSE: _noun("blood glucose"),
            Vital.STEPS: Noun("step count", "the step count", "of the step count"),
            Vital.OXYGEN_FLOW: _noun("oxygen flow"),
            Vital.SUPPLEMENTAL_OXYGEN: _noun("supplemental oxygen"),
            Vital.CONSCIOUSNESS: _noun("level of consciousness"),
            Vital.BATTERY: Noun(
                "device battery", "the battery of the device", "of the device battery"
            ),
        }
    ),
    series=lambda name: Noun(name, f"the series {name}", f"of the series {name}"),
    units=MappingProxyType(
        {
            "/min": "/min",
            "%": "%",
            "Cel": " °C",
            "mm[Hg]": " mmHg",
            "kg": " kg",
            "mg/dL": " mg/dL",
            "1/(24.h)": " a day",
            "L/min": " L/min",
            "1": "",
            "{ACVPU}": "",
        }
    ),
    consciousness=MappingProxyType(
        {
            "A": "alert",
            "C": "new confusion",
            "V": "responds to voice",
            "P": "responds to pain",
            "U": "unresponsive",
        }
    ),
    yes_no=("yes", "no"),
    bounds=("{low} to {high}", "at least {low}", "at most {high}"),
    expected="expected: {bounds}",
    points=("{n} point", "{n} points"),
    more=("1 more", "{n} more"),
    reading="{the} is {value}",
    state="{the}: {value}",
    patterns=MappingProxyType(
        {
            Pattern.ABOVE: "{reading}, {far}above {ref}",
            Pattern.BELOW: "{reading}, {far}below {ref}",
            Pattern.RISING: "{the} has risen and stayed higher: now {value}, compared with {ref}",
            Pattern.FALLING: "{the} has fallen and stayed lower: now {value}, compared with {ref}",
            Pattern.FLAT: "{the} shows exactly the same value ({value}) again and again, more "
            "evenly than a body does by itself",
            Pattern.JUMP: "{the} went to {value} all at once, faster than a body usually changes",
            Pattern.DISAGREES: "two ways of measuring the same thing do not agree: {list}",
            Pattern.OFF: "the sensor that measures {noun} seems to be off or in poor contact",
            Pattern.SILENT: "no measurement {of} has come",
            Pattern.MISSED: "the prescribed measurement {of} is missing",
            Pattern.TOGETHER: "taken together, the measurements do not fit {ref}",
        }
    ),
    bare=MappingProxyType(
        {
            Pattern.FLAT: "{the} shows exactly the same value again and again, more evenly than a "
            "body does by itself",
            Pattern.RISING: "{the} had risen and stayed higher, compared with {ref}",
            Pattern.FALLING: "{the} had fallen and stayed lower, compared with {ref}",
            Pattern.JUMP: "{the} changed all at once, faster than a body usually changes",
        }
    ),
    newest_level="its newest level is {value}",
    disagrees="{the}{value} does not agree with another way of measuring the same thing",
    passable="each of them alone may pass",
    against=MappingProxyType(
        {
            Against.CHART: "what gives no points on the chart",
            Against.LIMITS: "the limit in force for this patient",
            Against.HOURS: f"{USUAL} over the last hours",
            Against.DAYS: f"{USUAL} over the last days",
            Against.WEEKS: f"{USUAL} over the last weeks",
            Against.TIME_OF_DAY: f"{USUAL} at this time of day",
            Against.OTHERS: "what is usual for other patients",
            Against.MODEL: "what the model expects",
            Against.EXPECTED: "what was expected",
            None: USUAL,
        }
    ),
    far="far ",
    trend=(
        "{the} has risen by {change} in {span}, from {first} to {value}",
        "{the} has fallen by {change} in {span}, from {first} to {value}",
    ),
    unusual=(
        "something calls for attention{colon}{list}",
        "something does not fit {ref}{colon}{list}",
    ),
    readings="measured: {list}",
    besides="besides: {list}",
    device_silent=(
        "the device has sent nothing",
        "nothing has come from the device that gave {list}",
        "nothing has come from {n} devices, which gave {list}",
    ),
    withheld="look at the patient first; this is taken for a measurement fault, and these "
    "values raise no new alert meanwhile",
    believed="look at the patient first; this is taken for a measurement fault, but the values "
    "can still raise alerts",
    several="several vital functions at once do not fit {ref}, although each alone calls for "
    "little",
    news2=(
        "NEWS2 score of {score} out of 20",
        "NEWS2 score of at least {score} out of 20 (partial: some measurements are missing)",
    ),
    contributions="points on its chart come from {list}",
    risk="a model (this is no diagnosis) estimates the risk {question} at {odds}",
    odds=("about {odds}", "less than {odds}", "more than {odds}", "{k} in {n}"),
    questions=MappingProxyType(
        {
            "deterioration": "of deterioration (NEWS2 of 7 or more within 6 hours)",
            "sepsis": "of sepsis (present, or within 6 hours)",
        }
    ),
    question="of {name}",
    raised="what raises it most: {list}",
    features=MappingProxyType({"news2": "NEWS2 score", "age": "age"}),
    statistics=(
        (r"now", "newest value"),
        (r"above_(\d+(?:\.\d+)?)", "newest value above {0}"),
        (r"mean(\d+)h", "mean of the last {0} h"),
        (r"spread(\d+)h", "variability over {0} h"),
        (r"outside_above_(\d+(?:\.\d+)?)_(\d+)h", "above {0} in the last {1} h"),
        (r"outside_below_(\d+(?:\.\d+)?)_(\d+)h", "below {0} in the last {1} h"),
        (r"outside_news2_(\d+)h", "NEWS2 points in the last {0} h"),
    ),
    missing=("missing measurement: {list}", "missing measurements: {list}"),
    complete="no measurement is missing",
    times=Times(
        zone=UTC,
        zone_name="UTC",
        date=_date,
        spans=("less than a minute", "{n} min", "{n} h", "1 day", "{n} days"),
        lasting="for {span}, {start}",
        began_at="since {clock} {zone}",
        began_on="since {date}, {clock} {zone}",
        start_at="since {clock} {zone}",
        start_on="since {date}, {clock} {zone}",
        measured_at="last measured at {clock} {zone}",
        measured_on="last measured on {date}, {clock} {zone}",
    ),
)
