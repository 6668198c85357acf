"""The reference device, as far as it can be seen without a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ingest.ports import SettingError
from simulators.address import address
from simulators.bedside import Bedside

if TYPE_CHECKING:
    from pathlib import Path

# Port 1 of loopback refuses connections: a broker that is away.
AWAY = "mqtt://127.0.0.1:1"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1883", "127.0.0.1:1883", "mqtt://", ""])
def test_an_address_that_is_no_broker_is_said(url: str) -> None:
    with pytest.raises(SettingError, match="must be mqtt://host:port"):
        Bedside("d-1", url, first_seq=1)


def test_a_secured_broker_needs_the_devices_certificate(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="certificate"):
        Bedside("d-1", "mqtts://127.0.0.1:1", first_seq=1)
    with pytest.raises(SettingError, match=r"d-1: No such file"):
        Bedside("d-1", "mqtts://127.0.0.1:1", first_seq=1, credentials=tmp_path / "d-1")


def test_while_the_broker_is_away_everything_is_kept_and_nothing_counts_as_sent() -> None:
    device = Bedside("d-1", AWAY, first_seq=1, window=2)
    try:
        for _ in range(2):
            device.send([{"time": "2026-11-24T03:00:00Z", "spo2": 97}])
        assert len(device.pending) == 2
        assert not device.pending.room
        assert device.pending.tally.sent == 0
    finally:
        device.close()


@pytest.mark.parametrize(
    ("url", "files", "expected"),
    [
        pytest.param("mqtt://h", [], ("h", 1883, None, None, False), id="plain"),
        pytest.param("mqtts://h", ["client.crt"], ("h", 8883, None, None, True), id="certificate"),
        pytest.param("mqtts://h:1", ["password"], ("h", 1, None, "pw", True), id="password file"),
        pytest.param("mqtts://d:p%40@h", [], ("h", 8883, "d", "p@", True), id="password in URL"),
    ],
)
def test_a_device_proves_itself_by_certificate_or_password(
    tmp_path: Path, url: str, files: list[str], expected: tuple[object, ...]
) -> None:
    for name in files:
        (tmp_path / name).write_text("pw\n")
    found = address(url, tmp_path)
    assert found[:5] == expected
    own = [] if found.password else ["client.crt", "client.key"]
    assert [file.name for file in found.files] == ["ca.crt", *own]
