"""Commands of the authority behind the devices' certificates: made, renewed, shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest import settings
from ingest.identity.errors import AuthorityUnusable

if TYPE_CHECKING:
    from ingest.identity.authority import Authority
    from ingest.settings import Settings

app = typer.Typer(help="The authority that signs devices' certificates.")


def _named(hosts: list[str] | None) -> list[str] | None:
    """Refuse what cannot be a name or address, as a usage error."""
    from ingest.identity import certificates

    for host in hosts or ():
        if not certificates.is_host(host):
            raise typer.BadParameter(f"`{host}` is neither a host's name nor an address")
    return hosts


Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host",
        callback=_named,
        help="Name or address by which devices call the broker; repeat it.",
    ),
]
ENDING = {
    "authority": "the authority",
    "revocations": "the list of revocations",
    "server": "the broker's certificate",
}


@app.command("init")
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
    with _told(), authorities.locked(folder):
        there = authorities.exists(folder)
        if not (there and if_missing):
            authorities.create(folder, name, passphrase)
    with opened(given) as authority:
        # A broker keeps the names that `renew` has given it since.
        known = (folder / "server.crt").exists()
        done = authority.renew((host or ()) if not known else (), spare=True)
        what = "keeps its authority" if there else "has a new authority"
        also = f"; renewed: {', '.join(done)}" if there and done else ""
        typer.echo(f"{folder} {what}{also}")
        publish(given, authority)


@app.command("renew")
def renew(*, host: Hosts = None) -> None:
    """Renew the broker's certificate when it ends soon, and the list of revocations.

    Have this run each day: rotated certificates end by it, and the list never expires. When the
    list expires, the broker refuses every device. With --host, the broker gets new names.

    Example: vigie authority renew --host broker.hopital.example --host 192.0.2.7
    """
    given = settings.load()
    with opened(given) as authority:
        done = authority.renew(host or (), spare=True)
        if "the revocation list" not in done:
            authority.save()
            done.append("the revocation list")
        typer.echo(f"renewed: {', '.join(done)}")
        publish(given, authority)


@app.command("show")
def show(*, as_json: Json = False) -> None:
    """Show until when authority, revocations and the broker's certificate hold.

    Example: vigie authority show --json
    """
    from ingest.identity import certificates

    with opened(settings.load()) as authority:
        ends, now = authority.ends(), authority.now
        hosts = certificates.hosts(authority.server)
        counting = len(authority.counting())
        warn(authority)
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
def opened(given: Settings) -> Iterator[Authority]:
    """Open the authority of the settings for one command.

    Raises AuthorityMissing, and AuthorityUnusable also for a file that cannot be read or written.
    """
    from ingest.identity import authority as authorities

    folder, passphrase = Path(given.authority), given.authority_key.encode()
    with _told(), authorities.opened(folder, passphrase) as authority:
        yield authority


@contextmanager
def _told() -> Iterator[None]:
    """Name the file that cannot be used, in one sentence."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise AuthorityUnusable(f"{error.filename} cannot be used: {error.strerror}") from None


def publish(given: Settings, authority: Authority) -> None:
    """Hand over to the broker what changed, and say how that went."""
    from ingest.identity import broker

    # For people; what a script reads goes to standard output.
    typer.echo(broker.hand_over(authority.folder, given.mqtt_folder), err=True)


def warn(authority: Authority) -> None:
    """Say it early when something ends that locks devices out."""
    from ingest.identity.authority import WARNED

    for what, end in authority.ends().items():
        if end < authority.now + WARNED:
            said = "has ended" if end <= authority.now else f"ends on {end:%Y-%m-%d}"
            then = "" if what == "authority" else ": `vigie authority renew`"
            typer.echo(f"{ENDING[what]} {said}; after that no device comes in{then}", err=True)
