"""Every setting of Vigie: its name, its meaning, its default; `vigie settings` prints it.

A value comes from the environment (`VIGIE_KAFKA`), else from the file named by its `_FILE` twin
(`VIGIE_DATABASE_FILE`, for secrets), else from `vigie.toml`, else from the default below.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping  # noqa: TC003 (a dataclass field's type, kept readable at run time)
from dataclasses import dataclass, field, fields
from pathlib import Path

from ingest.ports import SettingError


def _setting(default: str, meaning: str, *, secret: bool = False) -> str:
    # A secret is in no traceback or log that shows the settings.
    value: str = field(
        default=default, repr=not secret, metadata={"meaning": meaning, "secret": secret}
    )
    return value


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of all processes, as text; each process parses what it uses when it starts."""

    mqtt: str = _setting(
        "mqtt://127.0.0.1:1884",
        "The gateway's way to the broker. mqtt:// or mqtts:// for MQTT 5, mqtt3:// for 3.1.1.",
        secret=True,
    )
    mqtt_devices: str = _setting("mqtt://127.0.0.1:1883", "The devices' way to the broker.")
    kafka: str = _setting("127.0.0.1:9092", "Kafka's bootstrap addresses, with commas between.")
    database: str = _setting(
        "postgresql://vigie@127.0.0.1:5432/vigie", "TimescaleDB, as a libpq URL.", secret=True
    )
    prometheus: str = _setting("http://127.0.0.1:9090", "Prometheus, for the live summary.")
    alertmanager: str = _setting("http://127.0.0.1:9093", "Alertmanager: alerts about ourselves.")
    recordings: str = _setting("", "Folder of real recordings; empty means there are none.")
    smtp: str = _setting(
        "smtp://127.0.0.1:2525",
        "Where mail for physicians is handed over; smtp://user:password@host:port.",
        secret=True,
    )
    sender: str = _setting("vigie@hopital.mssante.example", "The organisation's own mailbox.")
    on_call: str = _setting(
        "astreinte@hopital.mssante.example",
        "Who is told of a patient that has no physician in the registry.",
    )
    ens: str = _setting("http://127.0.0.1:9480/fhir", "FHIR base of the patients' e-health space.")
    ens_token: str = _setting("", "Bearer token for the e-health space.", secret=True)
    ens_profiles: str = _setting(
        "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/",
        "Canonical base of the ANS profiles that the e-health space accepts.",
    )
    ens_patient_oid: str = _setting(
        "1.2.840.10004.1.1.1.0.0.1.0.0.1.2560",
        "OID of patients' pairing identifiers (idPE); the default is the ANS guide's example.",
    )
    ens_oid: str = _setting(
        "2.25.174583391823057361928475610293847561029",
        "OID of this organisation's system in the e-health space; its devices are below it (.1).",
    )
    quota: str = _setting(
        "200",
        "Values a second that a device may send for ever; what is above goes by the backfill lane.",
    )
    templates: str = _setting(
        "", "Folder of a site's own templates of vendor JSON; empty: only those of Vigie."
    )
    profiles: str = _setting(
        "",
        "Folder of a site's own profiles (icu.toml, ward.toml, ...), each in the place of Vigie's "
        "of that name; empty: only those of Vigie. All workers need the same.",
    )
    metrics_host: str = _setting("127.0.0.1", "Address on which /metrics and /healthz listen.")
    state: str = _setting(".vigie", "Folder of what `make up` starts: logs, data, addresses.")
    mqtt_tls: str = _setting(
        "mqtts://127.0.0.1:8883", "The way to the broker of devices with a certificate."
    )
    mqtt_tls_by_password: str = _setting(
        "mqtts://127.0.0.1:8884", "The way to the broker of devices with a password, over TLS too."
    )
    mqtt_anonymous: str = _setting(
        "on", "`off`: `make up` has no door for devices without a certificate or password."
    )
    mqtt_folder: str = _setting(
        "",
        "Folder where the broker on this machine reads certificates, revocations and passwords, "
        "with its mosquitto.pid; empty: you copy them, and reload it.",
    )
    authority: str = _setting(
        ".vigie/authority", "Folder of the authority that signs devices' certificates."
    )
    authority_key: str = _setting(
        "", "Passphrase of the authority's key; empty: the key is not encrypted.", secret=True
    )
    certificate_days: str = _setting("397", "For how many days a device's certificate is valid.")
    vault_key: str = _setting(
        "",
        "Key under which patients' identities are sealed: 32 bytes in base64, kept outside the "
        "database; `vigie identity new-key` prints one. Empty: no identity can be kept.",
        secret=True,
    )


def names() -> list[tuple[str, str, str, bool]]:
    """List (environment name, default, meaning, secret) of every setting, for people."""
    return [
        (f"VIGIE_{f.name.upper()}", str(f.default), f.metadata["meaning"], f.metadata["secret"])
        for f in fields(Settings)
    ]


def load(environment: Mapping[str, str] | None = None, file: Path | None = None) -> Settings:
    """Read the settings. Raises SettingError for an unknown key of the file or a missing `_FILE`.

    >>> load({"VIGIE_KAFKA": "kafka:9092"}, Path("/nonexistent/vigie.toml")).kafka
    'kafka:9092'
    """
    given = os.environ if environment is None else environment
    path = file or Path(given.get("VIGIE_SETTINGS", "vigie.toml"))
    known = {f.name for f in fields(Settings)}
    values = _from_file(path, known)
    for name in known:
        variable = f"VIGIE_{name.upper()}"
        if variable in given:
            values[name] = given[variable]
        elif f"{variable}_FILE" in given:
            values[name] = _secret(variable, Path(given[f"{variable}_FILE"]))
    return Settings(**values)


def _from_file(path: Path, known: set[str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: not TOML: {error}") from None
    for name, value in content.items():
        if name not in known:
            raise SettingError(f"{path}: unknown setting `{name}`; `vigie settings` lists them")
        if not isinstance(value, str):
            raise SettingError(f"{path}: `{name}` must be text in quotes")
    return dict(content)


def _secret(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingError(f"{variable}_FILE: {path} cannot be read: {error.strerror}") from None
