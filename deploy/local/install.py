"""What is missing on this machine, installed: Debian packages, Kafka's jars, TimescaleDB.

Debian packages go to the system; Kafka and TimescaleDB into a folder that all states share.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local import accounts
from deploy.local.errors import InstallFailed
from deploy.local.state import checkout

Say = Callable[[str], object]

DEPLOY = Path(__file__).resolve().parents[1]
KAFKA_VERSION = "4.3.1"  # as pinned in deploy/kafka/pom.xml; a unit test compares
# A command that must be there, and the Debian package that brings it.
PACKAGES = {
    "mosquitto": {
        "mosquitto": "mosquitto",
        "mosquitto_passwd": "mosquitto",
        "mosquitto_rr": "mosquitto-clients",
    },
    "kafka": {"java": "openjdk-17-jre-headless"},
    "timescale": {},
    "prometheus": {"prometheus": "prometheus", "promtool": "prometheus"},
    "alertmanager": {"prometheus-alertmanager": "prometheus-alertmanager"},
}
SERVICES = ("mosquitto", "prometheus", "prometheus-alertmanager")
TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class Software:
    """Where the programs are that Debian's packages do not bring."""

    opt: Path

    @property
    def is_inside(self) -> bool:
        """Whether they lie where they usually do, in the checkout."""
        return self.opt == checkout() / ".vigie" / "opt"

    @property
    def kafka(self) -> Path:
        """The folder of Kafka's jars."""
        return self.opt / f"kafka-{KAFKA_VERSION}"

    @property
    def timescale(self) -> Path:
        """The prefix of PostgreSQL with TimescaleDB."""
        return self.opt / "timescaledb"

    @property
    def postgres(self) -> Path:
        """The folder of PostgreSQL's programs."""
        return self.timescale / "usr/lib/postgresql/17/bin"


def software() -> Software:
    """Say where software is, or would be, installed."""
    return Software(accounts.opt_folder(checkout()))


def install(names: tuple[str, ...], say: Say) -> Software:
    """Install what the named servers still lack. Raises InstallFailed, with the log's tail."""
    found = software()
    if not _lacking(names, found):
        return found
    # The servers' account reads what is installed, whatever our shell says of new files.
    before = os.umask(0o022)
    try:
        found.opt.mkdir(mode=0o755, parents=True, exist_ok=True)
        # Two starts at once, `make up` and `make test` say, do not install in one another's way.
        with (found.opt / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _install(_lacking(names, found), found, say)
    except PermissionError:
        raise InstallFailed(
            f"{found.opt} is not ours: install as its owner, or set VIGIE_OPT."
        ) from None
    finally:
        os.umask(before)
    return found


def _lacking(names: tuple[str, ...], found: Software) -> set[str]:
    """Say what is missing: Debian packages, and `kafka` or `timescale` for those from elsewhere."""
    lacking = {
        package
        for name in names
        for command, package in PACKAGES[name].items()
        if not _has(command)
    }
    if "kafka" in names and not _complete(found.kafka):
        lacking |= {"kafka"} if _has("mvn") else {"kafka", "maven"}
    if "timescale" in names and not _complete(found.timescale):
        lacking |= {"timescale"}
    return lacking


def _install(lacking: set[str], found: Software, say: Say) -> None:
    packages = sorted(lacking - {"kafka", "timescale"})
    if packages:
        _packages(packages, say)
    if "kafka" in lacking:
        say(f"installing Apache Kafka {KAFKA_VERSION} (54 MB by Maven)")
        _kafka(found.kafka)
    if "timescale" in lacking:
        say("installing PostgreSQL 17 with TimescaleDB (48 MB)")
        _run([str(DEPLOY / "local/timescale-install.sh"), str(found.timescale)], "TimescaleDB")


def _has(command: str) -> bool:
    return shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def _complete(folder: Path) -> bool:
    return (folder / ".complete").exists()


def _packages(missing: list[str], say: Say) -> None:
    say(f"installing Debian packages: {' '.join(missing)}")
    root = [] if os.geteuid() == 0 else ["sudo"]
    if root and not _has("sudo"):
        raise InstallFailed(f"Install as root, or with sudo: apt-get install {' '.join(missing)}")
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    _run([*apt, "update"], "the list of Debian packages")
    _run([*apt, "install", "-y", "--no-install-recommends", *missing], "Debian packages")
    # Ours run under supervisord; a service that apt has just started would hold their ports.
    if Path("/run/systemd/system").exists():
        for service in set(SERVICES) & set(missing):
            _run([*root, "systemctl", "disable", "--now", service], service)


def _kafka(folder: Path) -> None:
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-ntp", "-f", str(DEPLOY / "kafka/pom.xml")]
    goal = "dependency:copy-dependencies"
    _run([*command, goal, "-DincludeScope=runtime", f"-DoutputDirectory={beside}"], "Apache Kafka")
    (beside / ".complete").touch()
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-TAIL_LINES:])
        raise InstallFailed(f"{what} could not be installed.", tail=tail)
