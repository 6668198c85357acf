"""A fleet: which devices it takes, what it needs of the system, and its account."""

from __future__ import annotations

import json
import resource
from array import array
from typing import TYPE_CHECKING

import pytest

from ingest.ports import SettingError
from simulators.fleet import Account, enrolled, make_room
from simulators.fleet_device import Devices, FleetDevice
from simulators.fleet_screen import as_json

if TYPE_CHECKING:
    from pathlib import Path


def device() -> FleetDevice:
    return FleetDevice("d-1", "mqtt://127.0.0.1:1", Devices(array("d")), first_seq=1)


def test_the_first_devices_by_name_that_have_a_certificate_are_taken(tmp_path: Path) -> None:
    for name in ("d-3", "d-1", "d-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "client.crt").touch()
    (tmp_path / "d-0").mkdir()
    assert enrolled(tmp_path, 2) == ["d-1", "d-2"]


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        pytest.param("nowhere", "is no folder", id="no folder"),
        pytest.param(".", "certificates of 0 devices, not 5", id="too few"),
    ],
)
def test_a_folder_without_enough_devices_is_told(tmp_path: Path, folder: str, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        enrolled(tmp_path / folder, 5)


def test_more_devices_than_the_system_has_descriptors_for_are_refused_with_the_way_out() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        make_room(10_000)
        return
    with pytest.raises(SettingError, match="ulimit -Hn"):
        make_room(hard)


def test_a_receipt_settles_its_messages_and_is_timed_once() -> None:
    one = device()
    for _ in range(3):
        assert one.send([{"time": "2026-11-24T03:00:00Z", "heart_rate": 70}])
    one.receipt(b'{"safe": [[1, 2]]}')
    one.receipt(b'{"safe": [[2, 2]]}')
    assert len(one.pending) == 1
    assert len(one.notes.receipts) == 2
    assert not one.is_there


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b'{"safe": [[5, 9]]}', b'{"safe": [[-9999999999, 0]]}']
)
def test_a_receipt_of_nothing_settles_nothing(payload: bytes) -> None:
    one = device()
    one.send([{"time": "2026-11-24T03:00:00Z", "heart_rate": 70}])
    one.receipt(payload)
    assert len(one.pending) == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("http://127.0.0.1", "must be mqtt://", id="another protocol"),
        pytest.param("mqtts://127.0.0.1", "needs a folder", id="TLS without a certificate"),
    ],
)
def test_an_address_that_cannot_be_used_is_told(url: str, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        FleetDevice("d-1", url, Devices(array("d")), first_seq=1)


def test_an_account_is_whole_only_when_nothing_went_wrong() -> None:
    account = Account(2, connected=2, receipts=array("d", [0.1, 0.2]))
    assert account.whole
    told = json.loads(as_json(account))
    assert told["whole"] is True
    assert told["receipts"]["p50"] == pytest.approx(0.15)
    left = {"closed by the broker": 1}
    assert not Account(2, connected=2, ended=left).whole
    assert not Account(2, connected=1).whole
