"""From refusal to row: what was refused comes in once the cause is mended, and comes in once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ingest import kafka
from ingest.codec import Refused, Rejected, encode
from ingest.quarantine import search
from ingest.quarantine.records import Name, Outcome, Wanted
from ingest.quarantine.replay import mark
from ingest.readings import Refusal
from tests.devices import Outsider, instant
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fix_line import Line

pytestmark = pytest.mark.servers

NOW = datetime.now(UTC).replace(microsecond=0)
QUERY = "SELECT vital, time, value, received FROM readings WHERE device = %s ORDER BY time, vital"


def told(line: Line, *arguments: str) -> Any:
    """Ask `vigie rejected` for JSON."""
    return json.loads(line.vigie("rejected", *arguments, "--json"))


def entries(line: Line, device: str, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told(line, "list", "--device", device, *arguments)
    return found


def failing(line: Line, *arguments: str) -> tuple[int, str]:
    """Run a command that is to fail; returns its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "vigie", "rejected", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=line.environment,
    )
    return done.returncode, done.stderr


def register(line: Line, folder: Path, device: str) -> None:
    """Tell the registry of a device that was unknown, as `Line.admit` does for new ones."""
    file = folder / f"{device}.toml"
    file.write_text(
        f'[[patients]]\nid = "p-{device}"\n'
        '[[models]]\nid = "test-patch"\nmaker = "test"\nname = "Patch"\n'
        'formats = ["readings"]\nfrom = "2000-01-01T00:00:00Z"\n'
        "vitals = { heart_rate = {}, spo2 = {}, temperature = {}, battery = {} }\n"
        f'[[devices]]\nid = "{device}"\nmodel = "test-patch"\n'
        f'assignments = [{{ patient = "p-{device}", from = "2000-01-01T00:00:00Z" }}]\n',
        encoding="utf-8",
    )
    assert "in force at" in line.vigie("registry", "import", str(file))


def refused(line: Line, device: str, *messages: list[dict[str, object]]) -> Outsider:
    """Publish messages, numbered from 1, and wait until all are in quarantine."""
    made = Outsider(device, line.devices_url)
    for seq, readings in enumerate(messages, 1):
        made.publish(seq, readings)
    made.wait_for_receipts(30)
    seqs = set(range(1, len(messages) + 1))
    wait_until(
        lambda: {one["seq"] for one in entries(line, device)} >= seqs, "all are in quarantine"
    )
    made.close()
    return made


def test_a_device_that_was_not_registered_loses_nothing(line: Line, tmp_path: Path) -> None:
    device = f"late-{uuid.uuid4().hex[:8]}"
    old = NOW - timedelta(days=2)
    refused(
        line,
        device,
        [instant(NOW, heart_rate=71, spo2=97), instant(old, heart_rate=64)],
        [instant(NOW + timedelta(seconds=1), temperature={"value": 98.6, "unit": "[degF]"})],
        [instant(NOW + timedelta(seconds=2), spo2=400)],
    )
    open_ones = entries(line, device, "--reason", "unknown-device")
    assert {one["state"] for one in open_ones} == {"open"}
    assert line.rows(QUERY, device) == []
    first = next(one for one in reversed(open_ones) if one["seq"] == 1)
    received = {datetime.fromisoformat(one["time"]) for one in open_ones}

    register(line, tmp_path, device)
    trial = told(line, "replay", "--device", device, "--check")
    assert trial["replayed"] == len([one for one in open_ones if one["seq"] != 3])
    assert line.rows(QUERY, device) == []
    assert entries(line, device) == open_ones

    account = told(line, "replay", "--device", device)
    assert account == trial
    assert account["refused"] == {"out-of-range": len(open_ones) - account["replayed"]}
    wait_until(lambda: len(line.rows(QUERY, device)) == 4, "the rows are there")
    rows = line.rows(QUERY, device)
    assert [row[:3] for row in rows] == [
        ("heart_rate", old, 64.0),
        ("heart_rate", NOW, 71.0),
        ("spo2", NOW, 97.0),
        ("temperature", NOW + timedelta(seconds=1), 37.0),
    ]
    assert {row[3] for row in rows} <= received, "the time received is that of the original"

    # What could not pass is open still; what passed is remembered as such.
    assert {one["seq"] for one in entries(line, device)} == {3}
    shown = told(line, "show", first["entry"])
    assert (shown["state"], shown["settled"]["outcome"]) == ("replayed", "replayed")

    again = told(line, "replay", "--device", device)
    assert (again["replayed"], again["live"], again["late"]) == (0, 0, 0)
    # A message that comes after the second replay is stored: so would be what it had sent.
    Outsider(device, line.devices_url).publish(9, [instant(NOW, battery=80)])
    wait_until(lambda: len(line.rows(QUERY, device)) == 5, "the message behind it")
    assert [row for row in line.rows(QUERY, device) if row[0] != "battery"] == rows


def test_list_show_and_drop(line: Line) -> None:
    device = f"stray-{uuid.uuid4().hex[:8]}"
    refused(line, device, [instant(NOW, heart_rate=187)], [instant(NOW, heart_rate=188)])
    found = entries(line, device)
    name = found[-1]["entry"]
    text = line.vigie("rejected", "list", "--device", device)
    assert name in text
    assert "187" not in text + line.vigie("rejected", "show", name) + json.dumps(found)
    payload = line.vigie("rejected", "show", name, "--payload", errors=True)
    assert '"heart_rate": 187' in payload
    assert "patient data" in payload

    assert entries(line, device, "--until", NOW.isoformat()) == []
    assert entries(line, device, "--since", NOW.isoformat()) == found
    assert entries(line, device, "--reason", "not-json") == []
    assert len(entries(line, device, "--limit", "1")) == 1

    assert told(line, "drop", name, "--by", "test", "--why", "a stray") == {"dropped": 1}
    assert name not in [one["entry"] for one in entries(line, device)]
    (mark,) = [one["settled"] for one in entries(line, device, "--all") if one["entry"] == name]
    assert (mark["outcome"], mark["by"], mark["why"]) == ("dropped", "test", "a stray")
    assert failing(line, "replay", name) == (
        1,
        f"vigie: no open entry {name}: nothing was done\n",
    )
    assert told(line, "drop", "--device", device)["dropped"] == len(found) - 1
    assert entries(line, device) == []


@pytest.mark.parametrize("name", ["9999-1", "3", "0-999999999", "-1-1"])
def test_an_entry_that_is_not_there_is_said_in_one_sentence(line: Line, name: str) -> None:
    code, said = failing(line, "show", "--", name)
    assert code == 1
    assert "entry" in said
    assert "Traceback" not in said


async def fill(address: str, device: str, count: int) -> None:
    """Put entries into one partition; each third carries a mark, far behind it."""
    async with kafka.producing(address) as log:
        places = []
        for seq in range(count):
            time = NOW - timedelta(days=1) + timedelta(seconds=seq)
            because = (Refused(Refusal.NULL if seq % 100 else Refusal.EMPTY),)
            rejected = Rejected(device, "t", because, time, "test", 2, b"{}", seq)
            future: Any = await log.send(kafka.REJECTED, encode(rejected), partition=0)
            places.append(future)
        names = [Name(0, (await future).offset) for future in places]
        await mark(log, names[::3], Outcome.DROPPED, "test", NOW)


def test_entries_are_found_however_deep_they_lie(line: Line) -> None:
    address, device, count = line.environment["VIGIE_KAFKA"], f"deep-{uuid.uuid4().hex[:8]}", 4000
    asyncio.run(fill(address, device, count))
    open_ones = [seq for seq in range(count) if seq % 3]

    def found(limit: int, **wanted: Any) -> list[int | None]:
        asked = Wanted(device=device, **wanted)
        entries = asyncio.run(search.newest_entries(address, limit, asked))
        return [entry.rejected.seq for entry in entries]

    assert found(50) == open_ones[::-1][:50]
    assert found(10_000) == open_ones[::-1]
    assert found(10, settled=True) == list(range(count))[::-1][:10]
    rare = [seq for seq in open_ones if seq % 100 == 0]
    assert found(3, reason=Refusal.EMPTY) == rare[::-1][:3]
    assert found(100, reason=Refusal.EMPTY) == rare[::-1]
    asked = Wanted(device=device, oldest=7)
    names = asyncio.run(search.names(address, asked))
    seqs = [asyncio.run(search.show(address, name)).rejected.seq for name in names]
    assert seqs == open_ones[:7]
    assert told(line, "drop", "--device", device) == {"dropped": len(open_ones)}
