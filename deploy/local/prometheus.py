"""Prometheus and Alertmanager, from Debian's packages: they watch Vigie, never patients."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deploy.local import accounts
from deploy.local.install import DEPLOY
from deploy.local.ports import LOOPBACK
from deploy.local.programs import Program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.local.install import Software
    from deploy.local.state import State

USUAL, USUAL_ALERTMANAGER = 9090, 9095
RETENTION = "15d"


class Prometheus:
    """Scrapes the targets that `watch` writes; its rules are those of deploy/prometheus.

    Parameters
    ----------
    alertmanager : str or None
        URL of the site's own Alertmanager; None for the one beside it.
    """

    name = "prometheus"
    settings: tuple[str, ...] = ("VIGIE_PROMETHEUS",)

    def __init__(self, alertmanager: str | None = None) -> None:
        self._alertmanager = alertmanager

    def programs(self, state: State, software: Software) -> list[Program]:
        """Copy the settings and rules, and name Alertmanager."""
        del software
        port = state.port(self.name, USUAL)
        folder = config_folder(state)
        for file in ("prometheus.yml", "rules.yml"):
            shutil.copyfile(DEPLOY / "prometheus" / file, folder / file)
            accounts.give(folder / file)
        beside = state.record.ports.get("alertmanager")
        targets = [f"{LOOPBACK}:{beside}"] if beside else []
        if self._alertmanager:
            targets = [urlsplit(self._alertmanager).netloc.rpartition("@")[2]]
        (folder / "targets/alertmanager").mkdir(parents=True, exist_ok=True)
        _targets(folder / "targets/alertmanager/local.yml", [{"targets": targets}])
        data = accounts.own_folder(folder / "data")
        command = (
            "/usr/bin/prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={data}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address={LOOPBACK}:{port}",
        )
        return [Program(self.name, command, folder, stop_seconds=15)]

    def is_ready(self, state: State, software: Software) -> bool:
        """Whether it answers queries."""
        del software
        return _answers(state.record.ports[self.name])

    def environment(self, state: State) -> Mapping[str, str]:
        """Give its address."""
        return {"VIGIE_PROMETHEUS": f"http://{LOOPBACK}:{state.record.ports[self.name]}"}


class Alertmanager:
    """Tells operators; without a receiver filled in, it only shows what fires."""

    name = "alertmanager"
    settings: tuple[str, ...] = ("VIGIE_ALERTMANAGER",)

    def programs(self, state: State, software: Software) -> list[Program]:
        """Copy the settings."""
        del software
        port = state.port(self.name, USUAL_ALERTMANAGER)
        folder = accounts.own_folder(state.home / self.name)
        shutil.copyfile(DEPLOY / "alertmanager/alertmanager.yml", folder / "alertmanager.yml")
        accounts.give(folder / "alertmanager.yml")
        data = accounts.own_folder(folder / "data")
        command = (
            "/usr/bin/prometheus-alertmanager",
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={data}",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--cluster.listen-address=",
        )
        return [Program(self.name, command, folder)]

    def is_ready(self, state: State, software: Software) -> bool:
        """Whether it takes alerts."""
        del software
        return _answers(state.record.ports[self.name])

    def environment(self, state: State) -> Mapping[str, str]:
        """Give its address."""
        return {"VIGIE_ALERTMANAGER": f"http://{LOOPBACK}:{state.record.ports[self.name]}"}


def config_folder(state: State) -> Path:
    """Give the folder of Prometheus' settings, readable by the servers' account."""
    return accounts.own_folder(state.home / "prometheus")


def watch(state: State, targets: Mapping[str, str]) -> None:
    """Name what is scraped: job -> host:port. Prometheus reads the file again by itself."""
    folder = config_folder(state) / "targets"
    folder.mkdir(exist_ok=True)
    entries: list[dict[str, object]] = [
        {"targets": [at], "labels": {"job": job}} for job, at in sorted(targets.items())
    ]
    _targets(folder / "vigie.yml", entries)


def _targets(path: Path, entries: list[dict[str, object]]) -> None:
    # JSON is YAML, and needs no library.
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(entries, indent=1), encoding="utf-8")
    beside.chmod(0o644)
    beside.replace(path)
    for folder in (path.parent, path.parent.parent):
        folder.chmod(0o755)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 (HTTP OK)
    except (OSError, urllib.error.URLError):
        return False
