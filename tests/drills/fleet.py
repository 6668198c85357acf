"""`make drill`: ten thousand enrolled devices, two thousand of them at once over mutual TLS.

python -m tests.drills.fleet [--minutes 3] [--rate 200] [--enrolled 10000] [--devices 2000]

On servers of its own: devices are enrolled and assigned by the commands that a site would use, and
a fleet of them sends. What is demanded is in `demands`; exits with 1 when one is not met.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from deploy.local import processes
from simulators.fleet import make_room
from tests.benchmarks.places import running, whole_line
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fix_line import Line

MODEL = "bedside-monitor"
SAMPLE_SECONDS = 2.0
# The first connections fill caches; from the second quarter of the run to the last one the gateway
# may grow by so much. A leak of a hundred bytes a message is 7 MB in three minutes at 400 a second.
GROWTH = 0.05
STORE_SECONDS = 120.0
MEGABYTE = 1e6


@dataclass
class Memory:
    """The gateway's resident memory over the run: seconds, and bytes."""

    at: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)

    def quarter(self, number: int) -> float:
        """Give the middle of the samples of a quarter of the run, in bytes."""
        part = max(1, len(self.resident) // 4)
        return median(self.resident[(number - 1) * part : number * part] or self.resident)

    @property
    def growth(self) -> float:
        """How much larger it is in the last quarter than in the second one."""
        return self.quarter(4) / self.quarter(2) - 1

    @property
    def per_minute(self) -> float:
        """Slope of the second half, in bytes a minute."""
        half = len(self.at) // 2
        return 60 * linear_regression(self.at[half:], self.resident[half:]).slope


def main() -> None:
    """Hold the drill, print its figures, and exit with 1 when a demand is not met."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.fleet", description=__doc__)
    parser.add_argument("--enrolled", type=int, default=10_000, help="devices with a certificate")
    parser.add_argument("--devices", type=int, default=2_000, help="of them, connected at once")
    parser.add_argument("--rate", type=float, default=200.0, help="messages a second, of all")
    parser.add_argument("--minutes", type=float, default=30.0, help="for how long they send")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    # The broker too needs a descriptor for each device, and inherits the limit.
    make_room(options.devices)
    with running(console) as servers, TemporaryDirectory(prefix="vigie-drill-") as folder:
        line = whole_line(servers, console)
        _enroll(line, Path(folder), options.enrolled, console)
        account, memory = _send(line, Path(folder), options, console)
        seen = list(demands(line, options.devices, account, memory))
    table = Table("what", "seen", "held", title="Drill: a fleet over mutual TLS")
    for what, value, held in seen:
        table.add_row(what, value, {True: "yes", False: "NO", None: ""}[held])
    console.print(table)
    failed = [what for what, _, held in seen if held is False]
    if failed:
        sys.exit(f"not met: {'; '.join(failed)}")


def demands(
    line: Line, devices: int, account: dict[str, Any], memory: Memory
) -> Iterator[tuple[str, str, bool | None]]:
    """Give what was seen, and whether it is as it must be; None for what is told only."""
    tally, ended = account["tally"], account["ended"]
    yield "devices connected at once", f"{account['connected']:,}", account["connected"] == devices
    waited = f"{account['connecting_seconds']:.0f} s"
    yield "until all were connected", waited, None
    yield "connections that ended", json.dumps(ended) if ended else "0", not ended
    rate = tally["sent"] / max(account["seconds"], 1)
    yield "messages sent", f"{tally['sent']:,} ({rate:,.0f}/s)", tally["sent"] > 0
    yield "messages repeated", f"{tally['repeated']:,}", None
    yield "messages without a receipt", f"{account['unsettled']:,}", account["unsettled"] == 0
    refused = tally["refused"]
    yield "readings refused", json.dumps(refused) if refused else "0", not refused
    waits = ", ".join(f"{name} {1000 * one:,.0f} ms" for name, one in account["receipts"].items())
    yield "publish to receipt", waits, None
    # Each message holds one instant, of one device: the rows that its receipt promised.
    stored = line.rows("SELECT count(*) FROM (SELECT DISTINCT device, time FROM readings) AS s")
    yield "instants stored", f"{stored[0][0]:,}", stored[0][0] == tally["safe"]
    ledger = json.loads(line.vigie("ledger", "--json"))
    yield "ledger, missing", f"{ledger['missing']:,}", ledger["missing"] == 0
    shown = ", ".join(f"{memory.quarter(n) / MEGABYTE:.1f}" for n in (1, 2, 3, 4))
    yield "gateway's memory by quarter, MB", shown, None
    steady = f"{100 * memory.growth:+.1f} %, {memory.per_minute / MEGABYTE:+.2f} MB/min at the end"
    yield "gateway's growth, 2nd to 4th quarter", steady, memory.growth <= GROWTH
    for name in ("gateway", "worker"):
        said = processes.health(line.servers.state, name)
        yield f"{name} says of itself", said, said == "healthy"


def _enroll(line: Line, folder: Path, number: int, console: Console) -> None:
    names = [f"fleet-{n:05d}" for n in range(number)]
    devices, patients = folder / "devices.csv", folder / "patients.toml"
    rows = "".join(f"{name},{MODEL},1.0\n" for name in names)
    devices.write_text(f"id,model,version\n{rows}", encoding="utf-8")
    entries = (
        f'[[patients]]\nid = "p-{name}"\n[[devices]]\nid = "{name}"\nmodel = "{MODEL}"\n'
        f'version = "1.0"\n'
        f'assignments = [{{ patient = "p-{name}", from = "2026-01-01T00:00:00Z" }}]\n'
        for name in names
    )
    patients.write_text("\n".join(entries), encoding="utf-8")
    credentials = str(folder / "devices")
    for what, arguments in (
        ("enrolled", ("devices", "enroll", "--file", str(devices), "--out", credentials)),
        ("assigned to patients", ("registry", "import", str(patients))),
    ):
        began = monotonic()
        line.vigie(*arguments)
        console.print(f"{number:,} devices {what} in {monotonic() - began:.1f} s")


def _send(
    line: Line, folder: Path, options: argparse.Namespace, console: Console
) -> tuple[dict[str, Any], Memory]:
    """Run the fleet as a process of its own, and watch the gateway meanwhile."""
    command = [sys.executable, "-m", "vigie", "simulate", "fleet", "--json"]
    command += ["--devices", str(options.devices), "--credentials", str(folder / "devices")]
    command += ["--rate", str(options.rate), "--minutes", str(options.minutes)]
    memory, began = Memory(), monotonic()
    last, told = 60 * options.minutes + 600, 0.0
    with (folder / "fleet.json").open("w+b") as out, (folder / "fleet.err").open("w+b") as err:
        fleet = subprocess.Popen(command, env=line.environment, stdout=out, stderr=err)

        def sample() -> None:
            nonlocal told
            at, resident = (
                monotonic() - began,
                line.metric("gateway", "process_resident_memory_bytes"),
            )
            safe = line.metric("gateway", "vigie_gateway_messages_safe_total")
            if safe:
                memory.at.append(at)
                memory.resident.append(resident)
            if at - told >= 30:
                told = at
                console.print(
                    f"{at:,.0f} s: {safe:,.0f} messages safe, gateway {resident / MEGABYTE:.1f} MB"
                )

        try:
            wait_until(
                lambda: fleet.poll() is not None,
                "the end of the fleet",
                last,
                pause=SAMPLE_SECONDS,
                meanwhile=sample,
            )
        finally:
            fleet.kill()
            fleet.wait()
        out.seek(0)
        err.seek(0)
        text, errors = out.read().decode(), err.read().decode()
    if not text.strip():
        sys.exit(f"the fleet did not run: {errors.strip()[-500:]}")
    account: dict[str, Any] = json.loads(text)
    safe = account["tally"]["safe"]
    query = "SELECT count(*) FROM (SELECT DISTINCT device, time FROM readings) AS s"
    wait_until(lambda: line.rows(query)[0][0] >= safe, "all is stored", STORE_SECONDS, pause=2)
    return account, memory


if __name__ == "__main__":
    main()
