"""The promises of `ingest.formats.port.Decode`: each format, each promise."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.codec import Refused
from ingest.formats.catalogue import Formats
from ingest.formats.port import MESSAGE_BYTES, REFUSALS
from ingest.readings import Refusal
from tests.contract.drawn import RECEIVED
from tests.contract.format_cases import CASES, Case
from tests.contract.promises import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.formats.port import Decoded

# A message in which more is wrong than is listed, by the last part of its topic.
NOTHINGS = [1] * 9000
TIME = RECEIVED.isoformat()
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o",
    "effectiveDateTime": TIME,
    "component": NOTHINGS,
}
POINT = {
    "header": {"id": "o", "schema_id": {"namespace": "omh", "name": "heart-rate"}},
    "body": NOTHINGS,
}
FAULTY: dict[str, Any] = {
    "fhir": {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"resource": OBSERVATION}, {"resource": OBSERVATION}],
    },
    "omh": [POINT, POINT],
    "readings": {
        "seq": 1,
        "readings": [{"time": TIME, **{f"x{n}": 1 for n in range(REFUSALS + 2)}}],
    },
}

each_format = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_json = pytest.mark.parametrize(
    "case", [case for case in CASES if case.json], ids=lambda case: case.name
)
thorough = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 72, 1e308, 10**400, math.nan, math.inf, -math.inf])
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(
        ["\ud800", "", "final", "%", "/min", "kPa", "2026-11-24", "Bundle", "0" * 99]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def counted(found: Decoded) -> int:
    return sum(len(instant.values) for instant in found.instants)


@each_format
@thorough
@given(data=st.data())
def test_what_is_written_comes_back_the_same(case: Case, data: st.DataObject) -> None:
    told = data.draw(case.instants)
    found = decoded(case, case.write(told))
    assert found.refused == []
    assert found.instants == told


@each_format
@thorough
@given(payload=st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_end_in_a_named_refusal(case: Case, payload: bytes) -> None:
    assert counted(decoded(case, payload)) == 0


@each_json
@thorough
@given(message=JUNK)
def test_any_json_ends_in_a_named_refusal(case: Case, message: object) -> None:
    assert counted(decoded(case, json.dumps(message).encode())) == 0


@each_format
@thorough
@given(data=st.data())
def test_a_message_with_a_changed_byte_ends_in_readings_or_refusals(
    case: Case, data: st.DataObject
) -> None:
    payload = bytearray(case.write(data.draw(case.instants)))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    decoded(case, bytes(payload[: data.draw(st.integers(0, len(payload)))]))
    decoded(case, bytes(payload))


@each_json
@thorough
@given(data=st.data())
def test_what_replaces_a_part_of_a_message_takes_no_value_away_in_silence(
    case: Case, data: st.DataObject
) -> None:
    told = data.draw(case.instants)
    message = json.loads(case.write(told))
    nodes = [node for node in places(message) if node[1] != "coding"]
    for _ in range(data.draw(st.integers(1, 2))):
        holder, key = data.draw(st.sampled_from(nodes))
        holder[key] = data.draw(JUNK)
    found = decoded(case, json.dumps(message).encode())
    if counted(found) < sum(len(instant.values) for instant in told):
        assert found.refused


@each_json
@thorough
@given(data=st.data())
def test_a_message_with_parts_left_out_or_added_ends_in_readings_or_refusals(
    case: Case, data: st.DataObject
) -> None:
    message = json.loads(case.write(data.draw(case.instants)))
    for _ in range(data.draw(st.integers(1, 3))):
        nodes = list(places(message))
        if not nodes:
            break
        holder, key = data.draw(st.sampled_from(nodes))
        if data.draw(st.booleans()):
            del holder[key]
        elif isinstance(holder, dict):
            holder[data.draw(st.text(max_size=5))] = holder[key]
        else:
            holder.append(data.draw(JUNK))
    decoded(case, json.dumps(message).encode())


@each_json
@thorough
@given(data=st.data())
def test_a_message_that_is_read_the_slow_way_comes_to_the_same(
    case: Case, data: st.DataObject
) -> None:
    message = json.loads(case.write(data.draw(case.instants)))
    quickly = decoded(case, json.dumps(message).encode())
    first = message[0] if isinstance(message, list) else message
    first["not of this format"] = math.nan
    slowly = decoded(case, json.dumps(message).encode())
    assert slowly.instants == quickly.instants
    assert list(slowly.places) == list(quickly.places)
    assert (slowly.seq, slowly.id, slowly.refused) == (quickly.seq, quickly.id, quickly.refused)


@pytest.mark.parametrize("suffix", sorted(FAULTY))
def test_a_message_is_not_read_on_when_more_is_wrong_than_is_listed(suffix: str) -> None:
    decode = Formats().find(suffix)
    assert decode is not None
    found = decode(json.dumps(FAULTY[suffix]).encode(), "dev-1", RECEIVED)
    assert len(found.refused) == REFUSALS + 1
    assert [one.reason for one in found.refused].count(Refusal.TOO_MANY) == 1
    assert found.refused[-1].reason is Refusal.TOO_MANY
    assert found.refused[-1].at
    assert found.seq == 1 or found.id == "o", "its receipt can name it"


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Walk a JSON tree; yields each holder with each of its keys."""
    if isinstance(node, dict | list):
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            yield node, key
            yield from places(node[key])


@each_format
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"", Refusal.EMPTY, id="nothing"),
        pytest.param(b" \r\n", Refusal.EMPTY, id="blanks"),
        pytest.param(b" " * (MESSAGE_BYTES + 1), Refusal.TOO_LARGE, id="too large"),
    ],
)
def test_a_message_that_no_format_takes(case: Case, payload: bytes, reason: Refusal) -> None:
    assert decoded(case, payload).refused == [Refused(reason)]


@each_json
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"{", Refusal.NOT_JSON, id="cut off"),
        pytest.param(b"\xff\xfe{", Refusal.NOT_JSON, id="not UTF-8"),
        pytest.param(b"9" * 100_000, Refusal.NOT_JSON, id="a number of 100,000 digits"),
        pytest.param(b"[" * 100_000, Refusal.TOO_DEEP, id="deep lists"),
        pytest.param(b'{"a":' * 50_000, Refusal.TOO_DEEP, id="deep objects"),
        pytest.param(b"7", Refusal.NOT_AN_OBJECT, id="a number"),
        pytest.param(b"null", Refusal.NOT_AN_OBJECT, id="null"),
    ],
)
def test_a_message_that_no_json_format_takes(case: Case, payload: bytes, reason: Refusal) -> None:
    assert decoded(case, payload).refused == [Refused(reason)]
