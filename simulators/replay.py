"""Plays recordings: which sets, how many patients, and where in time they are put."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ingest import settings
from ingest.ports import SettingError
from simulators import recordings, session
from simulators.play import Feed, Pace
from simulators.series import stamp

if TYPE_CHECKING:
    from simulators.play import Outcome


@dataclass(frozen=True, slots=True)
class Replay:
    """What to play, as the command line says it.

    `folder` None means the setting's; `only` empty means every set that is there; `limit` is
    patients of each set; `end` is a moment with its zone, `now`, or empty for the remembered one.
    """

    folder: Path | None
    only: tuple[str, ...] = ()
    limit: int | None = None
    end: str = ""


def replay(chosen: Replay, options: session.Options) -> Outcome:
    """Play the chosen recordings and print where their last instants stand. Raises SettingError."""
    in_force = settings.load()
    if chosen.folder is None and not in_force.recordings:
        raise SettingError(
            "no recordings: give --recordings or VIGIE_RECORDINGS, or use `vigie simulate ward`"
        )
    folder = chosen.folder or Path(in_force.recordings)
    sets = recordings.sources(folder, chosen.only)
    if chosen.end not in {"", "now"}:
        session.parse_moment(chosen.end)  # a wrong one shows before anything is read
    series = list(recordings.read(sets, chosen.limit))
    longest = max((recording.seconds for recording in series), default=0.0)
    beds = [recording.bed(number) for number, recording in enumerate(series)]

    def feeds() -> tuple[Pace, list[Feed]]:
        now = datetime.now(UTC)
        usual = session.finish(now, longest, options.speed)
        ends = {
            source.name: _end(chosen.end, source, options.speed, usual, Path(in_force.state))
            for source in sets
        }
        pace = Pace(now, max(ends.values()) - timedelta(seconds=longest), options.speed)
        return pace, [
            Feed(bed.device, recording.samples(ends[recording.source]))
            for bed, recording in zip(beds, series, strict=True)
        ]

    instants = sum(sum(1 for _, values in recording.instants if values) for recording in series)
    return session.run(options, beds, feeds, instants=instants)


def _end(
    asked: str,
    source: recordings.Source,
    speed: float | None,
    usual: datetime,
    state: Path,
) -> datetime:
    """Decide where a set ends. A live run is about now, and neither recalls nor remembers."""
    memory = recordings.Ends(state)
    end, why = usual, "now"
    if asked not in {"", "now"}:
        end, why = session.parse_moment(asked), "as asked"
    elif not asked and speed is None and (earlier := memory.recall(source)) is not None:
        end, why = earlier, "as in the earlier run; --end now starts afresh"
    if speed is None:
        memory.remember(source, end)
    say = f"{source.name}: the last instants stand at {stamp(end)} ({why})"
    Console(stderr=True).print(say, highlight=False, soft_wrap=True)
    return end
