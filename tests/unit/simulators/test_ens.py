"""The e-health space refuses what the guide refuses, and says where."""

from __future__ import annotations

import json
from copy import deepcopy
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from simulators import ens_rules
from simulators.ens import Space, Temper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Damage = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], object]

DEVICE = "6f0cc8a6-4a3c-4f0e-9a39-3f4f1bb1b7b0"
OID = "urn:oid:1.2.250.1.999.1"


def weight(value: float = 71, patient: str = "idpe-17") -> dict[str, Any]:
    """Build a bundle as the guide's own example has it: a body weight and a scale."""
    device = {
        "resourceType": "Device",
        "id": DEVICE,
        "meta": {"profile": [ens_rules.PHD]},
        "identifier": [{"system": OID, "value": "FE-ED-AB-AA"}],
        "manufacturer": "OMRONHEALTHCARE",
        "modelNumber": "HEM-9200T",
        "type": {"coding": [{"system": ens_rules.MDC, "code": "65573"}]},
        "specialization": [
            {
                "systemType": {"coding": [{"system": ens_rules.MDC, "code": "528457"}]},
                "version": "2.3",
            }
        ],
    }
    observation = {
        "resourceType": "Observation",
        "id": "5138af77-df7e-4b9d-ba17-07ba3ebb950a",
        "meta": {"profile": [f"{ens_rules.BASE}mesures-fr-observation-body-weight"]},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{value}"}],
        "status": "final",
        "category": [{"coding": [{"system": ens_rules.CATEGORY, "code": "vital-signs"}]}],
        "code": {"coding": [{"system": ens_rules.LOINC, "code": "29463-7"}]},
        "subject": {"identifier": {"system": OID, "value": patient}},
        "device": {"reference": f"Device/{DEVICE}"},
        "effectiveDateTime": "2022-08-22T01:56:16+01:00",
        "valueQuantity": {"value": value, "system": ens_rules.UCUM, "code": "kg"},
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": f"urn:uuid:{DEVICE}",
                "resource": device,
                "request": {
                    "method": "POST",
                    "url": "Device",
                    "ifNoneExist": f"identifier={OID}|FE-ED-AB-AA",
                },
            },
            {
                "fullUrl": "urn:uuid:5138af77-df7e-4b9d-ba17-07ba3ebb950a",
                "resource": observation,
                "request": {"method": "POST", "url": "Observation"},
            },
        ],
    }


DAMAGES: dict[str, tuple[str, Damage]] = {
    "not a transaction": ("Bundle.type", lambda b, _o, _d: b.update(type="batch")),
    "two observations": ("Bundle.entry", lambda b, _o, _d: b["entry"].append(b["entry"][1])),
    "no observation": ("Bundle.entry", lambda b, _o, _d: b["entry"].pop(1)),
    "no device": ("Bundle.entry", lambda b, _o, _d: b["entry"].pop(0)),
    "a stranger": (
        "Bundle.entry",
        lambda b, _o, _d: b["entry"].append({"resource": {"resourceType": "Patient"}}),
    ),
    "no fullUrl": (
        "Bundle.entry(Observation).fullUrl",
        lambda b, _o, _d: b["entry"][1].pop("fullUrl"),
    ),
    "a PUT": (
        "Bundle.entry(Observation).request",
        lambda b, _o, _d: b["entry"][1]["request"].update(method="PUT"),
    ),
    "no condition": (
        "Bundle.entry(Device).request.ifNoneExist",
        lambda b, _o, _d: b["entry"][0]["request"].pop("ifNoneExist"),
    ),
    "a condition with an underscore": (
        "Bundle.entry(Device).request.ifNoneExist",
        lambda b, _o, _d: b["entry"][0]["request"].update(ifNoneExist=f"identifier={OID}|a_b"),
    ),
    "a condition on another device": (
        "Bundle.entry(Device).request.ifNoneExist",
        lambda b, _o, _d: b["entry"][0]["request"].update(ifNoneExist=f"identifier={OID}|other"),
    ),
    "a device without profile": ("Device.meta.profile", lambda _b, _o, d: d.pop("meta")),
    "a device without maker": ("Device.manufacturer", lambda _b, _o, d: d.pop("manufacturer")),
    "a device of no type": ("Device.type", lambda _b, _o, d: d.pop("type")),
    "no specialization": (
        "Device.specialization",
        lambda _b, _o, d: d.update(specialization=[]),
    ),
    "an unknown profile": (
        "Observation.meta.profile",
        lambda _b, o, _d: o.update(meta={"profile": ["http://example.org"]}),
    ),
    "a profile without a home": (
        "Observation.meta.profile",
        lambda _b, o, _d: o.update(
            meta={"profile": [f"{ens_rules.BASE}mesures-fr-observation-resp-rate"]}
        ),
    ),
    "a BMI": (
        "Observation.meta.profile",
        lambda _b, o, _d: o.update(meta={"profile": [ens_rules.BMI]}),
    ),
    "another vital's code": (
        "Observation.code",
        lambda _b, o, _d: o["code"]["coding"][0].update(code="9463-7"),
    ),
    "a preliminary value": ("Observation.status", lambda _b, o, _d: o.update(status="preliminary")),
    "no category": ("Observation.category", lambda _b, o, _d: o.update(category=[])),
    "a subject by reference": (
        "Observation.subject.identifier",
        lambda _b, o, _d: o.update(subject={"reference": "Patient/1"}),
    ),
    "a subject of no system": (
        "Observation.subject.identifier",
        lambda _b, o, _d: o["subject"]["identifier"].pop("system"),
    ),
    "another bundle's device": (
        "Observation.device.reference",
        lambda _b, o, _d: o.update(device={"reference": "Device/7"}),
    ),
    "a time without zone": (
        "Observation.effectiveDateTime",
        lambda _b, o, _d: o.update(effectiveDateTime="2022-08-22T01:56:16"),
    ),
    "the 31st of February": (
        "Observation.effectiveDateTime",
        lambda _b, o, _d: o.update(effectiveDateTime="2022-02-31"),
    ),
    "no value": ("Observation.valueQuantity", lambda _b, o, _d: o.pop("valueQuantity")),
    "a value as text": (
        "Observation.valueQuantity.value",
        lambda _b, o, _d: o["valueQuantity"].update(value="71"),
    ),
    "pounds": (
        "Observation.valueQuantity.code",
        lambda _b, o, _d: o["valueQuantity"].update(code="[lb_av]"),
    ),
    "a source that is no OID": (
        "Observation.meta.source",
        lambda _b, o, _d: o["meta"].update(source="vigie"),
    ),
    "half of an original": (
        "Observation.extension[0].original-value",
        lambda _b, o, _d: o.update(
            extension=[
                {
                    "url": ens_rules.ORIGINAL,
                    "extension": [
                        {"url": "has-been-converted", "valueBoolean": True},
                        {
                            "url": "original-code",
                            "valueCodeableConcept": {"coding": [{"code": "x"}]},
                        },
                    ],
                }
            ]
        ),
    ),
}


def test_the_guides_own_example_is_accepted() -> None:
    assert ens_rules.check(weight()) == []


@pytest.mark.parametrize(("place", "damage"), DAMAGES.values(), ids=DAMAGES.keys())
def test_what_breaks_a_rule_is_refused_and_its_place_is_named(place: str, damage: Damage) -> None:
    bundle = deepcopy(weight())
    damage(bundle, bundle["entry"][1]["resource"], bundle["entry"][0]["resource"])
    assert place in [issue.at for issue in ens_rules.check(bundle)]


@pytest.mark.parametrize("junk", [None, [], 7, "Bundle", {}, {"resourceType": "Patient"}])
def test_what_is_no_bundle_is_refused(junk: object) -> None:
    assert [issue.at for issue in ens_rules.check(junk)] == ["Bundle"]


@pytest.mark.parametrize("junk", [7, "x", [7], [None], [{}], {"resource": 7}])
def test_entries_of_any_shape_are_refused_without_a_fall(junk: object) -> None:
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": junk}
    assert ens_rules.check(bundle)


def post(space: Space, bundle: object, token: str = "") -> HTTPStatus:
    return space.post(json.dumps(bundle).encode(), f"Bearer {token}")[0]


def test_a_repeat_is_taken_and_counted_and_changes_nothing() -> None:
    space = Space()
    assert [post(space, weight()) for _ in range(3)] == [HTTPStatus.OK] * 3
    found = space.listing()
    assert len(found["accepted"]) == 1
    assert list(found["repeats"].values()) == [2]


def test_the_answer_says_created_first_and_found_for_a_known_device() -> None:
    space = Space()
    answers = []
    for value in (71, 72):
        _, answer = space.post(json.dumps(weight(value)).encode(), "")
        answers.append([entry["response"]["status"] for entry in answer["entry"]])
    assert answers == [["201 Created", "201 Created"], ["200 OK", "201 Created"]]


def test_without_the_right_token_nothing_is_taken() -> None:
    space = Space(temper=Temper(token="right"))  # noqa: S106 (of a test)
    assert post(space, weight(), "wrong") is HTTPStatus.UNAUTHORIZED
    assert post(space, weight(), "right") is HTTPStatus.OK


def test_a_patient_without_pairing_is_refused() -> None:
    space = Space()
    space.temper.patients = frozenset({"idpe-1"})
    assert post(space, weight()) is HTTPStatus.FORBIDDEN
    assert post(space, weight(patient="idpe-1")) is HTTPStatus.OK


def test_a_refusal_is_an_operation_outcome() -> None:
    status, outcome = Space().post(b"{", "")
    assert status is HTTPStatus.UNPROCESSABLE_ENTITY
    assert outcome["resourceType"] == "OperationOutcome"


def test_what_was_accepted_outlives_the_process(tmp_path: Path) -> None:
    file = tmp_path / "ens" / "accepted.jsonl"
    post(Space(file), weight())
    again = Space(file)
    assert len(again.listing()["accepted"]) == 1
    assert post(again, weight()) is HTTPStatus.OK
    assert len(file.read_text().splitlines()) == 1
