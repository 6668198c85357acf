"""One run of the simulators: register the patients, play them, and give the account."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path  # noqa: TC003 (a dataclass field's type, kept readable at run time)
from typing import TYPE_CHECKING

from rich.console import Console

from ingest import health, settings
from ingest.ports import SettingError
from simulators import screen
from simulators.bedside import Bedside
from simulators.play import Pace, Player
from simulators.registration import register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import FrameType

    from simulators.play import Feed, Outcome
    from simulators.series import Bed

# paho waits with select(), which knows descriptors below 1024 only, and a device takes three.
MOST_DEVICES = 300
# How many play at a time when the receipts set the pace: more do not make a gateway faster.
DEVICES_AT_ONCE = 50
# A receipt comes within seconds; without any for so long, /healthz says so.
SILENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """What all runs have in common.

    `speed` None is "as fast as receipts come". `patience_seconds` is how long a device may be
    without progress before it is given up, None for ever. `credentials` has a folder per device.
    """

    speed: float | None = 1.0
    patience_seconds: float | None = 120.0
    metrics_port: int | None = None
    credentials: Path | None = None


def parse_speed(text: str) -> float | None:
    """Read a speed: `max` is None, else a number of at least 1. Raises SettingError.

    >>> parse_speed("max"), parse_speed("60")
    (None, 60.0)
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 1 <= speed <= 1e6:  # noqa: PLR2004 (slower would need readings from the future)
        raise SettingError(f"--speed must be max or a number from 1 on, not `{text}`")
    return speed


def parse_moment(text: str) -> datetime:
    """Read a moment with its zone and give it in UTC. Raises SettingError.

    >>> parse_moment("2026-11-24T04:00:00+01:00").hour
    3
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingError(f"`{text}` is no moment: write 2026-11-24T03:00:00Z") from None
    if moment.tzinfo is None:
        raise SettingError(f"`{text}` has no zone: write 2026-11-24T03:00:00Z")
    return moment.astimezone(UTC)


def finish(now: datetime, seconds: float, speed: float | None) -> datetime:
    """Say when a run that starts now ends, in whole milliseconds: there its last instant stands.

    At full speed that is a second ago, so that no clock of the line sees a reading ahead of it.
    """
    if speed is None:
        return (now - timedelta(seconds=1)).replace(microsecond=0)
    return now + timedelta(milliseconds=round(1000 * seconds / speed))


def run(
    options: Options,
    beds: Sequence[Bed],
    feeds: Callable[[], tuple[Pace, Iterable[Feed]]],
    *,
    instants: int | None = None,
) -> Outcome:
    """Register the beds, then play what `feeds` gives, and print the account.

    `feeds` is asked after the registration, which takes some seconds. Ctrl-C and SIGTERM end the
    run with its account. Raises SettingError.
    """
    in_force, out, err = settings.load(), Console(), Console(stderr=True)
    if options.speed is not None and len(beds) > MOST_DEVICES:
        raise SettingError(
            f"{len(beds)} devices at once are too many, {MOST_DEVICES} are the most: use --limit"
        )
    player = Player(
        _connector(in_force.mqtt_devices, options.credentials),
        connections=MOST_DEVICES if options.speed is not None else DEVICES_AT_ONCE,
        patience_seconds=options.patience_seconds,
    )
    with _served(in_force.metrics_host, options.metrics_port, player):
        err.print(f"registering {len(beds)} patients and their devices")
        register(beds)
        pace, playing = feeds()
        with _stopping_on_signals(player, err), screen.watching(err, instants) as watch:
            outcome = player.run(playing, pace, watch)
    out.print(screen.account(outcome))
    return outcome


@contextmanager
def _served(host: str, port: int | None, player: Player) -> Iterator[None]:
    def receipts() -> str | None:
        silent = player.silent_seconds()
        return f"no receipt for {silent:.0f} s" if silent > SILENCE_SECONDS else None

    if port is None:
        yield
        return
    watched = health.serve(host, port, {"receipts": receipts})
    try:
        yield
    finally:
        watched.close()


def _connector(
    url: str, credentials: Path | None
) -> Callable[[str, Callable[[], object]], Bedside]:
    # Numbers must rise over runs of the same device; the clock gives them, and a device that
    # sends fewer than a thousand messages a second never catches up with it.
    first_seq = int(datetime.now(UTC).timestamp() * 1000)

    def connect(device: str, on_receipt: Callable[[], object]) -> Bedside:
        folder = credentials / device if credentials is not None else None
        return Bedside(device, url, first_seq=first_seq, credentials=folder, on_receipt=on_receipt)

    return connect


@contextmanager
def _stopping_on_signals(player: Player, console: Console) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        console.print("stopping: waiting a few seconds for receipts")
        player.stop()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
