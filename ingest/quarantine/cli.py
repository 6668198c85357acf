"""`vigie rejected`: what was refused and why, and what to do about it."""

from __future__ import annotations

import asyncio
import getpass
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingest import settings
from ingest.readings import Refusal
from ingest.registry.cli import line

if TYPE_CHECKING:
    from ingest.quarantine.records import Entry, Wanted
    from ingest.quarantine.replay import Account

app = typer.Typer(help="What was refused, why, and what to do about it.", no_args_is_help=True)

# Refusals of an entry that the table shows; `show` names all.
SHOWN = 3
# Without a terminal, which has a bar: entries of a long replay between two lines of progress.
TELL_EVERY = 5000


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("write a time with its zone: 2026-11-24T03:00:00Z") from None
    if found.tzinfo is None:
        raise typer.BadParameter("the time has no zone: write 2026-11-24T03:00:00Z")
    return found.astimezone(UTC)


Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Reason = Annotated[Refusal | None, typer.Option(help="Only entries with this reason.")]
Device = Annotated[str | None, typer.Option(help="Only of this device.")]
Since = Annotated[
    datetime | None,
    typer.Option(parser=_moment, metavar="TIME", help="Only refused at this time or later."),
]
Until = Annotated[
    datetime | None,
    typer.Option(parser=_moment, metavar="TIME", help="Only refused before this time."),
]
Oldest = Annotated[int | None, typer.Option(min=1, help="At most so many, the oldest first.")]
Names = Annotated[
    list[str] | None, typer.Argument(metavar="ENTRY", help="Entries by name, such as 3-41.")
]
By = Annotated[
    str,
    typer.Option(
        help="Who does this.",
        default_factory=getpass.getuser,
        callback=line,
        show_default="your account",
    ),
]


@app.command("list")
def list_entries(
    *,
    reason: Reason = None,
    device: Device = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what was replayed, dropped, or only counted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List what is open: name, device, reasons and places; never what was in it.

    Example: vigie rejected list --reason unknown-unit --since 2026-11-24T03:00:00Z
    """
    from ingest.quarantine import search
    from ingest.quarantine.records import Wanted

    wanted = Wanted(reason, device, since, until, settled=everything)
    found = asyncio.run(search.newest_entries(settings.load().kafka, limit, wanted))
    if as_json:
        typer.echo(msgspec.json.encode([_told(entry) for entry in found]).decode())
        return
    table = Table("entry", "time (UTC)", "device", "seq", "why", "by", "state")
    for entry in found:
        one = entry.rejected
        why = [f"{r.reason} {r.at}".strip() for r in one.refused[:SHOWN]]
        more = len(one.refused) + one.more - len(why)
        told = ", ".join(why) + (f" and {more} more" if more else "")
        table.add_row(
            str(entry.name),
            f"{one.time:%Y-%m-%d %H:%M:%S}",
            _plain(one.device),
            "" if one.seq is None else str(one.seq),
            _plain(told),
            _plain(one.by),
            entry.state if entry.whole else f"{entry.state}, cut",
        )
    Console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ENTRY", help="Its name, such as 3-41.")],
    *,
    payload: Annotated[
        bool, typer.Option("--payload", help="Write its bytes to stdout: patient data.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show one entry: every reason with its place; with --payload its bytes, and only these.

    Example: vigie rejected show 3-41 --payload > message.json
    """
    from ingest.quarantine import search
    from ingest.quarantine.records import Name

    entry = asyncio.run(search.show(settings.load().kafka, Name.parse(name)))
    if payload:
        Console(stderr=True).print(
            "this is patient data: keep it where it may be kept, and no longer"
        )
        if not entry.whole:
            Console(stderr=True).print(f"only the first {entry.kept} bytes of it were kept")
        _write(entry.rejected.payload)
        return
    if as_json:
        typer.echo(msgspec.json.encode(_told(entry)).decode())
        return
    table = Table.grid(padding=(0, 2))
    one = entry.rejected
    for field, value in [
        ("entry", str(entry.name)),
        ("state", entry.state),
        ("device", one.device),
        ("topic", one.topic),
        ("place", one.place),
        ("seq", "" if one.seq is None else str(one.seq)),
        ("refused", f"{one.time:%Y-%m-%d %H:%M:%S.%f} UTC by {one.by}"),
        ("bytes", f"{one.size}" if entry.whole else f"{one.size}, of which {entry.kept} were kept"),
        *(("because", f"{r.reason} {r.at}".strip()) for r in one.refused),
        *([("because", f"and {one.more} more")] if one.more else []),
    ]:
        if value:
            table.add_row(field, _plain(value))
    if entry.settled is not None:
        mark = entry.settled
        told = f"{mark.outcome} {mark.time:%Y-%m-%d %H:%M:%S} UTC by {mark.by} {mark.why}"
        table.add_row("settled", _plain(told.strip()))
    Console().print(table)


@app.command()
def replay(
    names: Names = None,
    *,
    reason: Reason = None,
    device: Device = None,
    since: Since = None,
    until: Until = None,
    limit: Oldest = None,
    check: Annotated[
        bool, typer.Option("--check", help="Send nothing: say what would happen.")
    ] = False,
    by: By,
    as_json: Json = False,
) -> None:
    """Bring open entries to the door again, once the cause of their refusal is mended.

    What passes is stored as if it had passed at once; the rest stays open. Safe to repeat.
    Without arguments it takes everything that is open.

    Example: vigie rejected replay --reason unknown-device --device dev-0042 --check
    """
    from rich.progress import Progress

    from ingest.formats.catalogue import Formats
    from ingest.quarantine import session

    wanted = _wanted(names, reason, device, since, until, limit)
    in_force, errors = settings.load(), Console(stderr=True)
    hidden = not errors.is_terminal
    with Progress(console=errors, transient=True, disable=hidden) as progress:
        task = progress.add_task("looking for entries", total=None)

        def tell(done: int, of: int) -> None:
            progress.update(task, description="replaying", completed=done, total=of)
            if hidden and done % TELL_EVERY == 0:
                errors.print(f"{done} of {of} entries")

        work = session.replay(
            in_force.kafka,
            Formats(in_force.templates),
            wanted,
            by=by,
            now=datetime.now(UTC),
            check=check,
            tell=tell,
        )
        account = asyncio.run(work)
    if as_json:
        typer.echo(msgspec.json.encode(account).decode())
        return
    _tell(account, check=check)


@app.command()
def drop(
    names: Names = None,
    *,
    reason: Reason = None,
    device: Device = None,
    since: Since = None,
    until: Until = None,
    limit: Oldest = None,
    why: Annotated[str, typer.Option(help="Why they are not needed; no patient data.")] = "",
    by: By,
    as_json: Json = False,
) -> None:
    """Mark open entries as not needed. Their bytes leave the log when its 30 days are over.

    Example: vigie rejected drop --device dev-0042 --reason not-json --why "test messages"
    """
    from ingest.quarantine import session

    if not names and reason is None and device is None and since is None and until is None:
        raise typer.BadParameter("name entries, or say which: --reason, --device, --since, --until")
    wanted = _wanted(names, reason, device, since, until, limit)
    work = session.drop(settings.load().kafka, wanted, by=by, now=datetime.now(UTC), why=why)
    dropped = asyncio.run(work)
    if as_json:
        typer.echo(msgspec.json.encode({"dropped": dropped}).decode())
        return
    Console().print(f"dropped {_count(dropped, 'entry', 'entries')}")


def _wanted(
    names: list[str] | None,
    reason: Refusal | None,
    device: str | None,
    since: datetime | None,
    until: datetime | None,
    oldest: int | None,
) -> Wanted:
    from ingest.quarantine.records import Name, Wanted

    named = frozenset(map(Name.parse, names)) if names else None
    return Wanted(reason, device, since, until, named, oldest=oldest)


def _tell(account: Account, *, check: bool) -> None:
    out, would = Console(), "would be " if check else ""
    out.print(
        f"{_count(account.entries, 'entry', 'entries')}: {account.replayed} {would}replayed, "
        f"{account.partly} in part, {account.entries - account.replayed} stay open"
    )
    values = account.live + account.late
    if values:
        out.print(
            f"{_count(values, 'value', 'values')} {would}sent, "
            f"{account.late} of them by the backfill lane"
        )
    for reason, count in account.refused.most_common():
        out.print(f"refused still: {count} times {reason}")
    if account.cut:
        out.print(
            f"{_count(account.cut, 'entry was', 'entries were')} too large to be kept whole and "
            "can only be dropped: the device must send it again"
        )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _told(entry: Entry) -> dict[str, object]:
    """Tell an entry to a program; never its payload."""
    one = entry.rejected
    return {
        "entry": str(entry.name),
        "state": entry.state,
        "time": one.time,
        "device": one.device,
        "topic": one.topic,
        "seq": one.seq,
        "by": one.by,
        "place": one.place,
        "size": one.size,
        "kept": entry.kept,
        "refused": one.refused,
        "more": one.more,
        "settled": entry.settled,
    }


def _plain(text: str) -> str:
    """Take from a device's text what a terminal would obey."""
    return escape("".join(c if c.isprintable() else "?" for c in text))


def _write(payload: bytes) -> None:
    if sys.stdout.isatty():
        text = payload.decode("utf-8", "backslashreplace")
        typer.echo("".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text))
    else:
        sys.stdout.buffer.write(payload)
        sys.stdout.buffer.flush()
