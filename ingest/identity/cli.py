"""Commands for devices' identity: enrolment, rotation, revocation, and the authority behind it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from ingest import settings
from ingest.identity.index import Issued, Reason, State
from ingest.ports import SettingError, VigieError

if TYPE_CHECKING:
    from ingest.identity.authority import Authority
    from ingest.identity.issuing import Given
    from ingest.settings import Settings

devices = typer.Typer(help="Devices: who they are, and with what they come in.")
authority_app = typer.Typer(help="The authority that signs devices' certificates.")

Id = Annotated[str, typer.Argument(help="The device's id, which is also its MQTT client id.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
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
By = Annotated[str, typer.Option(help="Who records this.", default_factory=getpass.getuser)]
Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", help="Name or address by which devices call the broker; repeat it."),
]
OVERLAP_DAYS = 7
ENDING = {
    "authority": "the authority",
    "revocations": "the list of revocations",
    "server": "the broker's certificate",
}


@devices.command("enroll")
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
    with _authority(given_settings) as authority:
        life = _life(given_settings)
        given = enrolment.enrol(
            given_settings, authority, wanted, by=by, life=life, password=password
        )
        folder = _hand_out(given_settings, authority, given, out)
    if file is not None:
        typer.echo(f"{len(given)} devices are enrolled; their files are in {folder}")
    else:
        _tell(given_settings, given[0], folder, model)


@devices.command("rotate")
def rotate(
    device: Id,
    *,
    overlap: Annotated[
        int, typer.Option(min=0, help="Days for which the old certificate still counts.")
    ] = OVERLAP_DAYS,
    out: Out = None,
    csr: Request = None,
    password: ByPassword = False,
) -> None:
    """Give an enrolled device a new certificate; the old one ends after some days.

    It ends with the first `vigie devices` or `vigie authority renew` after them: have the latter
    run each day. A new password ends the old one at once.

    Example: vigie devices rotate dev-0042 --overlap 14
    """
    from ingest.identity import issuing

    if csr is not None and password:
        raise typer.BadParameter("--csr is for a certificate, --password is instead of one")
    given_settings = settings.load()
    with _authority(given_settings) as authority:
        given = issuing.rotate(
            authority,
            device,
            life=_life(given_settings),
            overlap=timedelta(days=overlap),
            password=password,
            request=_request(csr),
        )
        folder = _hand_out(given_settings, authority, [given], out)
    _tell(given_settings, given, folder)


@devices.command("revoke")
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

    given_settings = settings.load()
    with _authority(given_settings) as authority:
        known = bool(authority.of(device))
        if known:
            authority.revoke(device, reason)
            typer.echo(f"{device}: certificates and passwords are revoked")
            _publish(given_settings, authority)
    # After the broker: this part holds also while the registry cannot be reached.
    try:
        closed = enrolment.close_door(given_settings, device, reason, by)
    except VigieError:
        if known:
            typer.echo("the gateway may not refuse it yet: say this again", err=True)
        raise
    if not closed and not known:
        raise EnrolmentRefused(f"`{device}` is not enrolled, nor in the registry")
    if closed:
        typer.echo(f"{device}: refused at the gateway from now on")


@devices.command("list")
def list_devices(
    *,
    as_json: Json = False,
    expiring: Annotated[
        int | None, typer.Option(min=0, help="Only those whose certificate ends within DAYS.")
    ] = None,
) -> None:
    """List enrolled devices with the newest certificate or password of each.

    Example: vigie devices list --expiring 30 --json
    """
    with _authority(settings.load()) as authority:
        now = authority.now
        newest = {one.device: one for one in authority.issued}
        _warn(authority)
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


@devices.command("show")
def show(device: Id, *, as_json: Json = False) -> None:
    """Show all that was ever issued to a device.

    Example: vigie devices show dev-0042
    """
    from ingest.identity.errors import EnrolmentRefused

    with _authority(settings.load()) as authority:
        now, found = authority.now, authority.of(device)
        _warn(authority)
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


@authority_app.command("init")
def init(
    *,
    host: Hosts = None,
    name: Annotated[str, typer.Option(help="What the authority's certificate calls it.")] = "Vigie",
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="One that is there is kept, and renewed when due.")
    ] = False,
) -> None:
    """Make the authority, the broker's certificate and the list of revocations.

    Example: vigie authority init --host broker.hopital.example
    """
    from ingest.identity import authority as authorities

    given = settings.load()
    folder, passphrase = Path(given.authority), given.authority_key.encode()
    with authorities.locked(folder):
        there = authorities.exists(folder)
        if not (there and if_missing):
            authorities.create(folder, name, passphrase)
    with _authority(given) as authority:
        done = authority.renew(host or (), spare=True)
        what = "keeps its authority" if there else "has a new authority"
        also = f"; renewed: {', '.join(done)}" if there and done else ""
        typer.echo(f"{folder} {what}{also}")
        _publish(given, authority)


@authority_app.command("renew")
def renew(*, host: Hosts = None) -> None:
    """Renew the broker's certificate when it ends soon, and the list of revocations.

    Have this run each day: rotated certificates end by it, and the list never expires. When the
    list expires, the broker refuses every device. With --host, the broker gets new names.

    Example: vigie authority renew --host broker.hopital.example --host 192.0.2.7
    """
    given = settings.load()
    with _authority(given) as authority:
        done = authority.renew(host or (), spare=True)
        if "the revocation list" not in done:
            authority.save()
            done.append("the revocation list")
        typer.echo(f"renewed: {', '.join(done)}")
        _publish(given, authority)


@authority_app.command("show")
def show_authority(*, as_json: Json = False) -> None:
    """Show until when authority, revocations and the broker's certificate hold.

    Example: vigie authority show --json
    """
    from ingest.identity import certificates

    with _authority(settings.load()) as authority:
        ends, now = authority.ends(), authority.now
        hosts = certificates.hosts(authority.server)
        counting = len(authority.counting())
        _warn(authority)
    if as_json:
        told = {"folder": str(authority.folder), "until": ends, "hosts": hosts, "devices": counting}
        typer.echo(msgspec.json.encode(told).decode())
        return
    table = Table("what", "until (UTC)", "days left")
    for what, end in ends.items():
        table.add_row(what, f"{end:%Y-%m-%d %H:%M}", str((end - now).days))
    Console().print(table)
    typer.echo(f"the broker is called {', '.join(hosts)}; {counting} devices may come in")


@contextmanager
def _authority(given: Settings) -> Iterator[Authority]:
    from ingest.identity import authority as authorities

    with authorities.opened(Path(given.authority), given.authority_key.encode()) as authority:
        yield authority


def _life(given: Settings) -> timedelta:
    if not given.certificate_days.isdecimal() or not 0 < int(given.certificate_days) <= 36_500:  # noqa: PLR2004 (a hundred years)
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
    given_settings: Settings, authority: Authority, given: list[Given], out: Path | None
) -> Path:
    """Write the devices' files and tell the broker; returns the folder."""
    from ingest.identity import certificates, handing

    folder = out or Path(given_settings.state) / "devices"
    handing.write(given, folder, certificates.pem(authority.certificate))
    _publish(given_settings, authority)
    return folder


def _publish(given: Settings, authority: Authority) -> None:
    from ingest.identity import broker

    # For people; what a script reads goes to standard output.
    typer.echo(broker.hand_over(authority.folder, given.mqtt_folder), err=True)


def _tell(given_settings: Settings, given: Given, folder: Path, model: str = "") -> None:
    """Say what the device was given, and the command that publishes with it."""
    from ingest.identity import handing
    from ingest.readings import Vital
    from ingest.registry import office
    from ingest.registry.entities import Format, Model

    typer.echo(f"{given.device}: its files are in {folder / given.device}")
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


def _warn(authority: Authority) -> None:
    """Say it early when something ends that locks devices out."""
    from ingest.identity.authority import WARNED

    for what, end in authority.ends().items():
        if end < authority.now + WARNED:
            said = "has ended" if end <= authority.now else f"ends on {end:%Y-%m-%d}"
            then = "" if what == "authority" else ": `vigie authority renew`"
            typer.echo(f"{ENDING[what]} {said}; after that no device comes in{then}", err=True)
