"""The page for device makers: its commands and its program, run as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.fix_line import Line

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """Take the page's one block in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_commands_do_what_the_page_says(line: Line, tmp_path: Path) -> None:
    device = f"d-{line.admit(tmp_path, 1)}-0"
    address = urlsplit(line.devices_url)
    environment = line.environment | {
        "BROKER": address.hostname or "",
        "PORT": str(address.port),
        "TLS": "",
        "DEVICE": device,
    }
    done = subprocess.run(
        ["bash", "-euc", block("sh")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"safe": [[1, 1]]}
    query = "SELECT vital, value FROM readings WHERE device = %s ORDER BY vital"
    wait_until(lambda: len(line.rows(query, device)) == 2, "the row of the first message")
    assert line.rows(query, device) == [("heart_rate", 72.0), ("spo2", 97.0)]


def program(line: Line, device: str, **settings: str) -> None:
    """Run the page's program, and see that its readings are stored."""
    done = subprocess.run(
        [sys.executable, "-c", block("python")],
        env=line.environment | {"DEVICE": device} | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "safe=1" in done.stdout
    query = "SELECT count(*) FROM readings WHERE device = %s"
    wait_until(lambda: line.rows(query, device) == [(2,)], "its readings are stored")


@pytest.mark.parametrize(
    ("option", "address"),
    [
        pytest.param([], "VIGIE_MQTT_TLS", id="by certificate"),
        pytest.param(["--password"], "VIGIE_MQTT_TLS_BY_PASSWORD", id="by password"),
    ],
)
def test_the_program_gets_in_with_what_the_site_gave_it(
    line: Line, tmp_path: Path, option: list[str], address: str
) -> None:
    device = f"d-{line.admit(tmp_path, 1)}-0"
    enrolled = ("enroll", device, "--model", "bedside-monitor", "--out", str(tmp_path), *option)
    line.vigie("devices", *enrolled)
    program(line, device, URL=line.environment[address], FOLDER=str(tmp_path / device))


def test_the_program_does_what_the_page_says(line: Line, tmp_path: Path) -> None:
    device = f"d-{line.admit(tmp_path, 1)}-0"
    heard: list[str] = []
    address = urlsplit(line.devices_url)
    gateway = urlsplit(line.environment["VIGIE_MQTT"])
    watcher = subprocess.Popen(
        [
            *("mosquitto_sub", "-V", "5", "-q", "1", "-t", f"vigie/v1/{device}/presence"),
            *("-h", gateway.hostname or "", "-p", str(gateway.port), "-i", f"watch-{device}"),
            *("-u", gateway.username or "", "-P", gateway.password or ""),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdout is not None
    listening = threading.Thread(target=lambda: heard.extend(watcher.stdout or []), daemon=True)
    listening.start()
    try:
        program(line, device, URL=f"mqtt://{address.hostname}:{address.port}")
        wait_until(lambda: heard and "offline" in heard[-1], "its goodbye is heard")
    finally:
        watcher.terminate()
        watcher.wait()
        listening.join()
        watcher.stdout.close()
