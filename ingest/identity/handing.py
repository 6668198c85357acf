"""What a device is given: a folder with its files, and the command that publishes with them."""

from __future__ import annotations

import csv
import os
import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from ingest.identity import certificates, files
from ingest.identity.errors import EnrolmentRefused
from ingest.identity.issuing import Wanted
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ingest.identity.issuing import Given

COLUMNS = ["id", "model", "version"]
AUTHORITY, CERTIFICATE, KEY, PASSWORD = "ca.crt", "client.crt", "client.key", "password"
TLS_PORT = 8883
# A healthy adult's, in the vital's own unit: what the first message of a new device says.
EXAMPLES = {
    Vital.HEART_RATE: 72,
    Vital.PULSE_RATE: 72,
    Vital.RESPIRATORY_RATE: 14,
    Vital.SPO2: 97,
    Vital.TEMPERATURE: 36.8,
    Vital.SYSTOLIC: 120,
    Vital.DIASTOLIC: 75,
    Vital.MEAN_PRESSURE: 90,
    Vital.WEIGHT: 70,
    Vital.GLUCOSE: 95,
    Vital.STEPS: 4000,
    Vital.OXYGEN_FLOW: 0,
    Vital.SUPPLEMENTAL_OXYGEN: False,
    Vital.CONSCIOUSNESS: "A",
    Vital.BATTERY: 100,
}


def check(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to, before anything is issued for it.

    Raises EnrolmentRefused. Nothing is made yet.
    """
    nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise EnrolmentRefused(f"{folder} cannot be written to: see {nearest}")


def write(given: Sequence[Given], folder: Path, authority: bytes) -> None:
    """Write each device's files into its own folder, all of them for their owner alone.

    `authority` is the certificate by which the device knows the broker (PEM).
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for one in given:
        own = own_folder(folder, one.device)
        own.mkdir(mode=0o700, exist_ok=True)
        files.hand_out(own / AUTHORITY, authority)
        if one.key is not None:
            files.hand_out(own / KEY, certificates.key_pem(one.key))
        if one.certificate is not None:
            files.hand_out(own / CERTIFICATE, certificates.pem(one.certificate))
        if one.password is not None:
            files.hand_out(own / PASSWORD, f"{one.password}\n".encode())


def own_folder(folder: Path, device: str) -> Path:
    """Name the folder of one device: FOLDER/DEVICE, or FOLDER where that has the device's name.

    >>> from pathlib import PurePosixPath as Path
    >>> own_folder(Path("given"), "dev-1"), own_folder(Path("given/dev-1"), "dev-1")
    (PurePosixPath('given/dev-1'), PurePosixPath('given/dev-1'))
    """
    return folder if folder.name == device else folder / device


def command(one: Given, folder: Path, url: str, vital: Vital) -> str:
    """Write the `mosquitto_pub` command that publishes a reading of its moment as the device.

    The shell fills in number and time, so that it can be said again, and after an assignment.
    """
    own, address = own_folder(folder, one.device), urlsplit(url)
    if one.password is None:
        # A device that made its own key has it where only its maker knows.
        key = '"$KEY"' if one.key is None else _quoted(own / KEY)
        proof = f"--cert {_quoted(own / CERTIFICATE)} --key {key}"
    else:
        proof = f'-u {one.device} -P "$(cat {_quoted(own / PASSWORD)})"'
    value = msgspec.json.encode({vital.value: EXAMPLES[vital]}).decode()[1:-1]
    message = f'{{"seq":$(date +%s),"readings":[{{"time":"$(date -u +%FT%TZ)",{value}}}]}}'
    said = message.replace('"', '\\"')
    return (
        f"mosquitto_pub -V 5 -h {address.hostname} -p {address.port or TLS_PORT} "
        f"--cafile {_quoted(own / AUTHORITY)} \\\n"
        f"  {proof} \\\n"
        f"  -i {one.device} -q 1 -t vigie/v1/{one.device}/readings \\\n"
        f'  -m "{said}"'
    )


def wanted(file: Path) -> list[Wanted]:
    """Read a file of devices: CSV with the columns `id,model,version`, the last may be left out.

    Raises EnrolmentRefused with each line that is wrong.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.DictReader(text, strict=True)
            names = rows.fieldnames or []
            if names not in (COLUMNS, COLUMNS[:2]):
                raise EnrolmentRefused(f"{file}: the first line must be `{','.join(COLUMNS)}`")
            found, faults = [], []
            for row in rows:
                if None in row or None in row.values():
                    faults.append(f"{file}, line {rows.line_num}: it needs {len(names)} columns")
                    continue
                values = {name: value.strip() for name, value in row.items()}
                found.append(Wanted(values["id"], values["model"], values.get("version") or None))
    except OSError as error:
        raise EnrolmentRefused(f"{file} cannot be read: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise EnrolmentRefused(f"{file} is not CSV in UTF-8: {error}") from None
    if faults:
        raise EnrolmentRefused(faults)
    if not found:
        raise EnrolmentRefused(f"{file} names no device")
    return found


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
