"""Commands for devices' identity: enrolment, rotation, revocation."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from ingest import settings
from ingest.identity.authority_cli import Json, opened, publish, warn
from ingest.identity.index import Issued, Reason, State
from ingest.ports import SettingError, VigieError
from ingest.registry.cli import By

if TYPE_CHECKING:
    from ingest.identity.authority import Authority
    from ingest.identity.issuing import Given
    from ingest.settings import Settings

app = typer.Typer(help="Devices: who they are, and with what they come in.")

Id = Annotated[str, typer.Argument(help="The device's id, which is also its MQTT client id.")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Where the device's folder is made, or itself; else `devices` in the state folder."
    ),
]
Request = Annotated[
    Path | None, typer.Option("--csr", help="The device's own signing request (PEM): no key here.")
]
ByPassword = Annotated[
    bool, typer.Option("--password", help="A password instead of a certificate (still over TLS).")
]
OVERLAP_DAYS = 7
# Days beyond any certificate's, so that no date leaves the calendar.
MOST_DAYS = 36_500


@app.command("enroll")
def enroll(
    device: Annotated[str | None, typer.Argument(help="The device's id; or use --file.")] = None,
    *,
    by: By,
    model: Annotated[
        str, typer.Option(help="Its model in the health store; as the registry has it if left out.")
    ] = "",
    version: Annotated[str | None, typer.Option(help="Version of its own software.")] = None,
    out: Out = None,
    csr: Request = None,
    password: ByPassword = False,
    file: Annotated[
        Path | None, typer.Option(help="Many devices: CSV with the columns id,model,version.")
    ] = None,
) -> None:
    """Register a device and give it what it comes in with; prints how it publishes.

    Example: vigie devices enroll dev-0042 --model bedside-monitor --version 2.1
    """
    from ingest.identity import enrolment, handing, issuing

    if (device is None) == (file is None):
        raise typer.BadParameter("name a device, or a file of devices with --file")
    if file is not None and (csr or model or version):
        raise typer.BadParameter("--model, --version and --csr are of one device; the file has all")
    if csr is not None and password:
        raise typer.BadParameter("--csr is for a certificate, --password is instead of one")
    given_settings = settings.load()
    if file is not None:
        wanted = handing.wanted(file)
    else:
        model = model or enrolment.registered_model(given_settings, str(device))
        wanted = [issuing.Wanted(str(device), model, version, _request(csr))]
    folder = out or Path(given_settings.state) / "devices"
    with opened(given_settings) as authority:
        life = _life(given_settings)
        handing.check(folder)
        given = enrolment.enrol(
            given_settings, authority, wanted, by=by, life=life, password=password
        )
        _hand_out(given_settings, authority, given, folder)
    if file is not None:
        typer.echo(f"{len(given)} devices are enrolled; their files are in {folder}")
    else:
        _tell(given_settings, given[0], folder, model)


@app.command("rotate")
def rotate(
    device: Id,
    *,
    overlap: Annotated[
        int,
        typer.Option(min=0, max=MOST_DAYS, help="Days for which the old certificate still counts."),
    ] = OVERLAP_DAYS,
    out: Out = None,
    csr: Request = None,
    password: ByPassword = False,
) -> None:
    """Give an enrolled device a new certificate; the old one ends after some days.

    It ends with the first `vigie authority renew` after them, which is to run each day, or with
    the next enrolment, rotation or revocation. A new password ends the old one at once.

    Example: vigie devices rotate dev-0042 --overlap 14
    """
    from ingest.identity import handing, issuing

    if csr is not None and password:
        raise typer.BadParameter("--csr is for a certificate, --password is instead of one")
    given_settings = settings.load()
    folder = out or Path(given_settings.state) / "devices"
    with opened(given_settings) as authority:
        handing.check(folder)
        given = issuing.rotate(
            authority,
            device,
            life=_life(given_settings),
            overlap=timedelta(days=overlap),
            password=password,
            request=_request(csr),
        )
        _hand_out(given_settings, authority, [given], folder)
    _tell(given_settings, given, folder)


@app.command("revoke")
def revoke(
    device: Id,
    *,
    by: By,
    reason: Annotated[Reason, typer.Option(help="Why; it stands in the list of revocations.")],
) -> None:
    """End all that a device comes in with, for good; the gateway refuses it from then on.

    A device that is connected stays so until it connects again, but nothing of it passes.

    Example: vigie devices revoke dev-0042 --reason compromised
    """
    from ingest.identity import enrolment
    from ingest.identity.errors import EnrolmentRefused

    if reason is Reason.REPLACED:
        raise typer.BadParameter("a certificate is replaced by `vigie devices rotate`")
    given, known, closed = settings.load(), False, False
    # Each of the two places also when the other one cannot be reached, the broker first.
    try:
        with opened(given) as authority:
            known = bool(authority.of(device))
            if known:
                authority.revoke(device, reason)
                typer.echo(f"{device}: certificates and passwords are revoked")
                publish(given, authority)
    finally:
        try:
            closed = enrolment.close_door(given, device, reason, by)
        except VigieError:
            typer.echo("the gateway may not refuse it yet: say this again", err=True)
            raise
        if closed:
            typer.echo(f"{device}: refused at the gateway from now on")
    if not closed and not known:
        raise EnrolmentRefused(f"`{device}` is not enrolled, nor in the registry")


@app.command("list")
def list_devices(
    *,
    as_json: Json = False,
    expiring: Annotated[
        int | None,
        typer.Option(
            min=0, max=MOST_DAYS, metavar="DAYS", help="Only those whose certificate ends so soon."
        ),
    ] = None,
) -> None:
    """List enrolled devices with the newest certificate or password of each.

    Example: vigie devices list --expiring 30 --json
    """
    with opened(settings.load()) as authority:
        now = authority.now
        newest = {one.device: one for one in authority.issued}
        warn(authority)
    found = [newest[name] for name in sorted(newest)]
    if expiring is not None:
        end = now + timedelta(days=expiring)
        found = [one for one in found if one.until and one.until <= end and one.reason is None]
    if as_json:
        typer.echo(msgspec.json.encode([_shown(one, now) for one in found]).decode())
        return
    table = Table("device", "comes in with", "until (UTC)", "state")
    for one in found:
        told = _shown(one, now)
        until = f"{one.until:%Y-%m-%d %H:%M}" if one.until else ""
        table.add_row(one.device, str(told["with"]), until, str(told["state"]))
    Console().print(table)


@app.command("show")
def show(device: Id, *, as_json: Json = False) -> None:
    """Show all that was ever issued to a device.

    Example: vigie devices show dev-0042
    """
    from ingest.identity.errors import EnrolmentRefused

    with opened(settings.load()) as authority:
        now, found = authority.now, authority.of(device)
        warn(authority)
    if not found:
        raise EnrolmentRefused(f"`{device}` is not enrolled")
    if as_json:
        typer.echo(msgspec.json.encode([_shown(one, now) for one in found]).decode())
        return
    table = Table(Column("serial number", no_wrap=True), "from (UTC)", "until (UTC)", "state")
    for one in found:
        since = f" {one.revoked:%Y-%m-%d}: {one.reason}" if one.revoked else ""
        until = f"{one.until:%Y-%m-%d}" if one.until else ""
        state = one.state(now)
        said = "ends" if state is State.REPLACED else state.value
        table.add_row(one.serial or "(password)", f"{one.start:%Y-%m-%d}", until, said + since)
    Console().print(table)


def _life(given: Settings) -> timedelta:
    if not given.certificate_days.isdecimal() or not 0 < int(given.certificate_days) <= MOST_DAYS:
        raise SettingError("VIGIE_CERTIFICATE_DAYS must be a number of days, such as 397")
    return timedelta(days=int(given.certificate_days))


def _request(path: Path | None) -> bytes | None:
    from ingest.identity.errors import EnrolmentRefused

    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise EnrolmentRefused(f"{path} cannot be read: {error.strerror}") from None


def _hand_out(
    given_settings: Settings, authority: Authority, given: list[Given], folder: Path
) -> None:
    """Write the devices' files and tell the broker."""
    from ingest.identity import certificates, handing

    handing.write(given, folder, certificates.pem(authority.certificate))
    publish(given_settings, authority)


def _tell(given_settings: Settings, given: Given, folder: Path, model: str = "") -> None:
    """Say what the device was given, and the command that publishes with it."""
    from ingest.identity import handing
    from ingest.readings import Vital
    from ingest.registry import office
    from ingest.registry.entities import Format, Model

    typer.echo(f"{given.device}: its files are in {handing.own_folder(folder, given.device)}")
    if given.certificate is not None:
        typer.echo(f"certificate valid until {given.certificate.not_valid_after_utc:%Y-%m-%d}")
    known = office.find(given_settings, f"model:{model}".encode()) if model else None
    measures: list[Vital] = [Vital.HEART_RATE]
    if isinstance(known, Model):
        if Format.VIGIE not in known.formats:
            typer.echo(f"it publishes on vigie/v1/{given.device}/{known.formats[0]}")
            return
        measures = [vital for vital in handing.EXAMPLES if vital in known.vitals] or measures
    by_certificate = given.certificate is not None
    url = given_settings.mqtt_tls if by_certificate else given_settings.mqtt_tls_by_password
    own = by_certificate and given.key is None
    typer.echo(f"it publishes so{', KEY being the file of its own key' if own else ''}:\n")
    typer.echo(handing.command(given, folder, url, measures[0]))


def _shown(one: Issued, now: datetime) -> dict[str, object]:
    """Show a certificate or password to a program; never the password, nor its hash."""
    return {
        "device": one.device,
        "with": "certificate" if one.serial else "password",
        "serial": one.serial,
        "from": one.start,
        "until": one.until,
        "state": one.state(now),
        "revoked": one.revoked,
        "reason": one.reason,
    }
