"""The simulators' command: recorded patients, a simulated ward, scenarios, and load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulators.faults import Fault

if TYPE_CHECKING:
    from simulators.play import Outcome

app = typer.Typer()
simulate = typer.Typer(invoke_without_command=True)
app.add_typer(simulate, name="simulate")

Speed = Annotated[
    str, typer.Option(help="1 is true speed, 60 a minute a second, max as fast as receipts come.")
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same patients and values.")]
Port = Annotated[
    int | None, typer.Option(help="Serve /metrics and /healthz on this port; 0 takes a free one.")
]
Credentials = Annotated[
    Path | None, typer.Option(help="For mqtts://: a folder with a folder of certificates a device.")
]
Wait = Annotated[
    float, typer.Option(min=1, help="Seconds without a receipt after which a device is given up.")
]
TruthFile = Annotated[
    Path | None, typer.Option(help="Write what happens to whom, as lines of JSON.")
]


@simulate.callback()
def recordings(  # noqa: PLR0917 (options, which have no order)
    context: typer.Context,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of recordings; default VIGIE_RECORDINGS.")
    ] = None,
    speed: Speed = "1",
    only: Annotated[
        str, typer.Option(help="Sets to play, with commas: bidmc,sepsis,e4,stress,welltory.")
    ] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Patients of each set; all when left out.")
    ] = None,
    end: Annotated[
        str, typer.Option(help="Where the last instants stand: a moment with its zone, or `now`.")
    ] = "",
    wait: Wait = 120.0,
    metrics_port: Port = None,
    credentials: Credentials = None,
) -> None:
    """Play recorded patients through simulated devices, their last instants shifted to now.

    With --speed max the end is remembered per set of recordings, and a second run sends the same
    readings again, which adds no row; --end now starts afresh.

    Example: vigie simulate --recordings ../recordings/bidmc --speed max
    """
    if context.invoked_subcommand is not None:
        return
    from simulators.replay import Replay, replay
    from simulators.session import Options, parse_speed

    names = tuple(name.strip() for name in only.split(",") if name.strip())
    options = Options(parse_speed(speed), wait, metrics_port, credentials)
    _leave(replay(Replay(recordings, names, limit, end), options))


@simulate.command()
def ward(  # noqa: PLR0917 (options, which have no order)
    patients: Annotated[int, typer.Option(min=1, help="How many lie on the ward.")] = 20,
    scenario: Annotated[str, typer.Option(help="The course that some take.")] = "healthy",
    count: Annotated[int, typer.Option(min=0, help="How many take it.")] = 1,
    onset: Annotated[float, typer.Option(min=0, help="Seconds until it sets in.")] = 60.0,
    every: Annotated[float, typer.Option(min=0.01, help="Seconds between two instants.")] = 1.0,
    seconds: Annotated[
        float | None,
        typer.Option(min=1, help="Seconds of the patients' time; endless if left out."),
    ] = None,
    fault: Annotated[
        list[Fault] | None,
        typer.Option(help="Faults to simulate; all but clock-ahead if left out."),
    ] = None,
    faults: Annotated[bool, typer.Option(help="Whether devices have faults at all.")] = True,
    speed: Speed = "1",
    seed: Seed = 1,
    end: Annotated[
        str, typer.Option(help="Where the last instants stand, with --seconds; now if left out.")
    ] = "",
    truth: TruthFile = None,
    wait: Wait = 120.0,
    metrics_port: Port = None,
    credentials: Credentials = None,
) -> None:
    """Simulate a ward whose patients are well, but for those who take a named course.

    Example: vigie simulate ward --patients 20 --scenario hypoxaemia --count 1
    """
    from simulators import admission, scenarios
    from simulators import ward as wards
    from simulators.session import Options, parse_speed

    # An endless ward outlives every outage, as devices on a ward do.
    patience = wait if seconds is not None else None
    options = Options(parse_speed(speed), patience, metrics_port, credentials)
    chosen = (tuple(fault) if fault else wards.EVERYDAY) if faults else ()
    people = wards.beds(seed, patients, scenarios.scenario(scenario), count)
    plan = admission.Plan(seed, seconds, every, onset, chosen, end)
    _leave(admission.admit(people, plan, options, truth))


@simulate.command("scenario")
def one_scenario(  # noqa: PLR0917 (options, which have no order)
    name: Annotated[str, typer.Argument(help="The scenario; `list` shows all.")],
    onset: Annotated[float, typer.Option(min=0, help="Seconds until it sets in.")] = 60.0,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="Seconds it is played; default: until noticed.")
    ] = None,
    speed: Speed = "1",
    seed: Seed = 1,
    truth: TruthFile = None,
    wait: Wait = 120.0,
    credentials: Credentials = None,
) -> None:
    """Let one patient, named after the scenario and the seed, get worse.

    Example: vigie simulate scenario sepsis --seed 7
    """
    from rich.console import Console

    from simulators import admission, scenarios, screen
    from simulators import ward as wards
    from simulators.session import Options, parse_speed

    if name == "list":
        Console().print(screen.stories(scenarios.SCENARIOS.values()))
        return
    course = scenarios.scenario(name)
    lasting = seconds if seconds is not None else course.lasts(onset)
    people = wards.beds(seed, 1, course, 1, prefix=f"sim-{name}")
    plan = admission.Plan(seed, lasting, 1.0, onset)
    options = Options(parse_speed(speed), wait, None, credentials)
    _leave(admission.admit(people, plan, options, truth))


@simulate.command()
def load(
    messages_per_second: Annotated[float, typer.Option(min=0.1, help="Of all devices.")] = 200.0,
    devices: Annotated[int, typer.Option(min=1, max=300, help="How many send.")] = 50,
    seconds: Annotated[float, typer.Option(min=1, help="For how long.")] = 60.0,
    seed: Seed = 1,
    wait: Wait = 120.0,
    metrics_port: Port = None,
    credentials: Credentials = None,
) -> None:
    """Send healthy patients' messages at a steady rate, one instant a message.

    Example: vigie simulate load --messages-per-second 200 --devices 50 --seconds 60
    """
    from simulators import admission
    from simulators import ward as wards
    from simulators.scenarios import SCENARIOS
    from simulators.session import Options

    people = wards.beds(seed, devices, SCENARIOS["healthy"], 0, prefix="load")
    plan = admission.Plan(seed, seconds, devices / messages_per_second, per_message=1)
    options = Options(1.0, wait, metrics_port, credentials)
    _leave(admission.admit(people, plan, options, None))


@simulate.command()
def fleet(
    devices: Annotated[int, typer.Option(min=1, help="How many connect, the first by name.")],
    credentials: Annotated[
        Path, typer.Option(help="What `vigie devices enroll --out` made: a folder for each device.")
    ],
    rate: Annotated[
        float, typer.Option(min=0.1, help="Messages a second, of all devices.")
    ] = 100.0,
    minutes: Annotated[float, typer.Option(min=0.01, help="For how long they send.")] = 30.0,
    seed: Seed = 1,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Connect thousands of enrolled devices over mutual TLS, from one process, and have them send.

    Exits with 1 when a connection ended, or a message has no receipt.

    Example: vigie simulate fleet --devices 2000 --credentials devices --rate 200 --minutes 3
    """
    import asyncio

    from rich.console import Console

    from ingest import settings
    from simulators import fleet as fleets
    from simulators import fleet_screen

    names = fleets.enrolled(credentials, devices)
    fleets.make_room(devices)
    url = settings.load().mqtt_tls
    order = fleets.Order(url, names, rate, 60 * minutes, credentials, seed)
    err = Console(stderr=True)
    with err.status("connecting") as status:
        one = fleets.Fleet(order, lambda account: status.update(fleet_screen.told(account)))
        with fleets.stopping_on_signals(one):
            account = asyncio.run(one.run())
    if as_json:
        typer.echo(fleet_screen.as_json(account))
    else:
        Console().print(fleet_screen.table(account))
    if not account.whole:
        raise typer.Exit(1)


def _leave(outcome: Outcome) -> None:
    """Exit with 1 when something was not sent or has no receipt."""
    if not outcome.whole:
        raise typer.Exit(1)
