"""Commands of this machine: real servers without containers, and all of Vigie on top of them."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import typer
from rich.console import Console
from rich.table import Table

from deploy.local import install, servers
from deploy.local.errors import LocalError
from deploy.local.state import default_folder
from deploy.local.supervisor import Supervisor

app = typer.Typer()
group = typer.Typer(help="The servers of the line, on this machine.", no_args_is_help=True)
app.add_typer(group, name="servers")

P = ParamSpec("P")
# What a shell expects of a command that Ctrl-C ended: 128 + SIGINT.
INTERRUPTED = 130
StateFolder = Annotated[
    Path, typer.Option("--state", help="The state folder.", default_factory=default_folder)
]
Only = Annotated[str, typer.Option(help=f"Some of {','.join(servers.NAMES)}.")]
Brokers = Annotated[
    int | None, typer.Option(help="Kafka brokers: 1 (default), or 3 for a cluster.")
]


def one_sentence(command: Callable[P, None]) -> Callable[P, None]:
    """Turn an error that is meant for people into its sentence, a log's tail, and status 1."""

    @wraps(command)
    def guarded(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            command(*arguments, **options)
        except LocalError as error:
            console = Console(stderr=True)
            if error.tail:
                console.print(
                    error.tail, style="dim", markup=False, highlight=False, soft_wrap=True
                )
            console.print(f"vigie: {error}", style="bold red", markup=False, soft_wrap=True)
            sys.exit(1)
        except PermissionError as error:
            Console(stderr=True).print(f"vigie: {error.filename} is not ours.", style="bold red")
            sys.exit(1)

    return guarded


def _names(only: str) -> tuple[str, ...]:
    names = tuple(only.split(",")) if only else servers.NAMES
    for name in names:
        if name not in servers.NAMES:
            raise LocalError(f"No server `{name}`; there are {', '.join(servers.NAMES)}.")
    return names


@group.command("install")
@one_sentence
def install_missing(*, only: Only = "") -> None:
    """Install what is missing; needs root or sudo for Debian packages. Safe to repeat.

    Example: vigie servers install --only kafka,timescale
    """
    console = Console()
    names = _names(only)
    install.install(names, console.print)
    console.print(f"installed: {', '.join(names)}")


@group.command("start")
@one_sentence
def start(*, state: StateFolder, only: Only = "", brokers: Brokers = None) -> None:
    """Start servers that do not run, and wait until each truly works.

    Example: vigie servers start --brokers 3
    """
    console = Console()
    with stopping_at_a_signal(state, console, spare=True):
        running = servers.start(state, _names(only), brokers=brokers, say=console.print)
    for name, value in sorted(running.environment.items()):
        console.print(f"{name}={value.rpartition('@')[2]}", highlight=False)


@group.command("stop")
@one_sentence
def stop(*, state: StateFolder) -> None:
    """Stop everything that was started in the state folder, and nothing else.

    Example: vigie servers stop --state /srv/vigie
    """
    Console().print(_stop(state))


@group.command("status")
@one_sentence
def status(*, state: StateFolder, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Say of each program whether it runs. Exits with 1 when one does not.

    Example: vigie servers status --json
    """
    running = servers.attach(state)
    seen = running.supervisor.seen()
    restarts = running.supervisor.restarts()
    if as_json:
        told = [
            {
                "name": one.name,
                "state": one.state,
                "pid": one.pid,
                "uptime_seconds": one.uptime_seconds,
                "restarts": restarts.get(one.name, 0),
            }
            for one in seen.values()
        ]
        typer.echo(json.dumps(told))
    elif not seen:
        Console().print(f"nothing runs in {running.state.folder}")
    else:
        table = Table("name", "state", "pid", "up for, s", "restarts")
        for one in seen.values():
            again = str(restarts.get(one.name, 0))
            table.add_row(one.name, one.state, str(one.pid), str(one.uptime_seconds), again)
        Console().print(table)
    if not seen or not all(one.runs for one in seen.values()):
        raise typer.Exit(1)


@group.command("logs")
@one_sentence
def logs(
    name: Annotated[str, typer.Argument(help="Of a server or a process, such as `gateway`.")],
    *,
    state: StateFolder,
    lines: Annotated[int, typer.Option(min=1, help="How many, from the end.")] = 50,
) -> None:
    """Show the end of a log.

    Example: vigie servers logs kafka --lines 100
    """
    running = servers.attach(state)
    known = sorted(path.stem for path in running.state.logs.glob("*.log"))
    if name not in known:
        raise LocalError(f"No log `{name}`; there are {', '.join(known) or 'none'}.")
    typer.echo(Supervisor(running.state).tail(name, lines))


@app.command("up")
@one_sentence
def up(
    *,
    state: StateFolder,
    detach: Annotated[bool, typer.Option(help="Return when all is ready.")] = False,
    brokers: Brokers = None,
    patients: Annotated[int, typer.Option(min=0, help="Of the simulated ward; 0: none.")] = 20,
) -> None:
    """Bring up servers and processes with a simulated ward, and show a live summary.

    A server of your own is used by setting its address (`vigie settings`); it is not started then.
    Ctrl-C stops everything that runs in the state folder.

    Example: VIGIE_KAFKA=kafka:9092 vigie up --detach
    """
    from deploy.local import summary
    from deploy.local import up as bringing

    console = Console()
    with stopping_at_a_signal(state, console, spare=detach):
        try:
            running = bringing.start(state, console, brokers=brokers, patients=patients)
        except LocalError:
            if servers.runs(state):
                console.print(
                    "What has started still runs: mend the cause, repeat, or `vigie down`."
                )
            raise
    if not detach:
        with stopping_at_a_signal(state, console, status=0):
            summary.watch(running, console)


@contextmanager
def stopping_at_a_signal(
    state: Path, console: Console, *, status: int = INTERRUPTED, spare: bool = False
) -> Iterator[None]:
    """Stop everything when Ctrl-C, a polite kill or the terminal's end interrupts the block.

    With `spare`, a line that ran already when the block began is left running.
    """
    spared = spare and servers.runs(state)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if spared:
            console.print("interrupted; what ran before still runs")
            raise typer.Exit(status) from None
        console.print("stopping everything; this takes some seconds")
        _stop(state)
        raise typer.Exit(status) from None


@app.command("down")
@one_sentence
def down(*, state: StateFolder) -> None:
    """Stop all that `up` started. Data stays.

    Example: vigie down
    """
    Console().print(_stop(state))


def _stop(state: Path) -> str:
    """Stop what runs in the state folder; say what was done. Nothing there is no error."""
    if not servers.has_been_used(state):
        return f"nothing was started in {state}"
    servers.attach(state).stop()
    return f"everything in {state} is stopped; its data stays"
