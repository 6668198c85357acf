"""Commands of this machine: real servers without containers, and all of Vigie on top of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
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
StateFolder = Annotated[
    Path, typer.Option("--state", help="The state folder.", default_factory=default_folder)
]
Only = Annotated[str, typer.Option(help=f"Some of {','.join(servers.NAMES)}.")]
Brokers = Annotated[int, typer.Option(help="Kafka brokers: 1, or 3 for a cluster.")]


def one_sentence(command: Callable[P, None]) -> Callable[P, None]:
    """Turn a LocalError into its sentence, the log's tail, and exit status 1."""

    @wraps(command)
    def guarded(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            command(*arguments, **options)
        except LocalError as error:
            console = Console(stderr=True)
            if error.tail:
                console.print(error.tail, style="dim", markup=False, highlight=False)
            console.print(f"vigie: {error}", style="bold red", markup=False)
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
def start(*, state: StateFolder, only: Only = "", brokers: Brokers = 1) -> None:
    """Start servers that do not run, and wait until each truly works.

    Example: vigie servers start --brokers 3
    """
    console = Console()
    running = servers.start(state, _names(only), brokers=brokers, say=console.print)
    for name, value in sorted(running.environment.items()):
        console.print(f"{name}={value.rpartition('@')[2]}", highlight=False)


@group.command("stop")
@one_sentence
def stop(*, state: StateFolder) -> None:
    """Stop everything that was started in the state folder, and nothing else.

    Example: vigie servers stop --state /srv/vigie
    """
    servers.attach(state).stop()
    Console().print("stopped")


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
        Console().print(f"nothing was started in {running.state.folder}")
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
    brokers: Brokers = 1,
    patients: Annotated[int, typer.Option(min=0, help="Of the simulated ward; 0: none.")] = 20,
) -> None:
    """Bring up servers and processes with a simulated ward, and show a live summary.

    A server of your own is used by setting its address (`vigie settings`); it is not started then.

    Example: VIGIE_KAFKA=kafka:9092 vigie up --detach
    """
    from deploy.local import up as bringing

    console = Console()
    stopped = False
    try:
        running = bringing.start(state, console, brokers=brokers, patients=patients)
        if not detach:
            bringing.watch(running, console)
    except KeyboardInterrupt:
        stopped = True
    if stopped:
        console.print("stopping everything")
        servers.attach(state).stop()


@app.command("down")
@one_sentence
def down(*, state: StateFolder) -> None:
    """Stop all that `up` started. Data stays.

    Example: vigie down
    """
    servers.attach(state).stop()
    Console().print("everything is stopped")
