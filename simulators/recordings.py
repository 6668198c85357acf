"""Recordings of real people, found in a folder and moved in time so that they end now.

They are read in place and never copied. A patient's series keeps its own spacing; its last instant
is put at the end of the run, so that all patients end together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ingest.ports import SettingError
from simulators.series import Bed, Sample, bed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from ingest.readings import Vital


@dataclass(frozen=True, slots=True)
class Recording:
    """One patient's recording: (seconds of its own time axis, values in canonical units), rising.

    An instant without any value is a dropout, and stands with an empty mapping.
    """

    source: str
    name: str
    profile: str
    model: str
    instants: Sequence[tuple[float, dict[Vital, float]]]

    @property
    def patient(self) -> str:
        """The pseudonym under which the patient is simulated."""
        return f"rec-{self.source}-{self.name.lower()}"

    @property
    def seconds(self) -> float:
        """How long the recording is, in the patient's own time."""
        return self.instants[-1][0] - self.instants[0][0] if self.instants else 0.0

    def bed(self, number: int) -> Bed:
        """Put the recorded patient into a bed."""
        return bed(self.patient, number, profile=self.profile, model=self.model)

    def samples(self, end: datetime) -> Iterator[Sample]:
        """Shift the recording so that its last instant is at `end` (UTC); dropouts are left out.

        The shift is exact to a microsecond, and depends on nothing but `end`.
        """
        if not self.instants:
            return
        last = self.instants[-1][0]
        for seconds, values in self.instants:
            if values:
                time = end - timedelta(seconds=last - seconds)
                yield Sample(time, time, {vital.value: value for vital, value in values.items()})


class Source(NamedTuple):
    """A set of recordings in its folder, under the name that `--only` takes."""

    name: str
    folder: Path
    read: Callable[[Path], Iterator[Recording]]


def sources(folder: Path, only: Sequence[str] = ()) -> list[Source]:
    """Find the sets of recordings in a folder, or the set that the folder itself is.

    Raises SettingError when there is none, or a name of `only` is not there.
    """
    # Imported here: the readers build Recordings.
    from simulators.readers import bidmc, empatica, physionet, welltory  # noqa: PLC0415

    known = (
        ("bidmc", "bidmc", (bidmc.FILE,), bidmc.recordings),
        ("sepsis", "sepsis2019", (physionet.PARQUET, physionet.SAMPLES), physionet.recordings),
        ("e4", "stress_predict", (empatica.EXPORTS,), empatica.exports),
        ("stress", "stress_predict", (empatica.TABLE,), empatica.table),
        ("welltory", "welltory", (welltory.WEARABLES,), welltory.recordings),
    )
    found = [
        Source(name, place, read)
        for name, usual, marks, read in known
        for place in (folder, folder / usual)
        if any((place / mark).exists() for mark in marks)
    ]
    names = [source.name for source in found]
    if missing := [name for name in only if name not in names]:
        there = ", ".join(names) or "no recordings"
        raise SettingError(f"{folder}: no `{missing[0]}` here; there is: {there}")
    if not found:
        places = ", ".join(dict.fromkeys(usual for _, usual, _, _ in known))
        raise SettingError(f"{folder}: no recordings here; folders that can be read: {places}")
    return [source for source in found if not only or source.name in only]


def read(chosen: Iterable[Source], limit: int | None = None) -> Iterator[Recording]:
    """Read the recordings one by one, at most `limit` patients of each set."""
    for source in chosen:
        yield from islice(source.read(source.folder), limit)


class Ends:
    """Remembers where a set of recordings was put in time.

    A second run then sends the same readings again, and adds no row. Kept in the state folder, one
    small file per set; a set that was moved to another folder is another set.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "simulate"

    def recall(self, source: Source) -> datetime | None:
        """Return the end of the earlier run, UTC; None when there was none that can be read."""
        try:
            stored = json.loads(self._file(source).read_text(encoding="utf-8"))
            return datetime.fromisoformat(stored["end"]).astimezone(UTC)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember(self, source: Source, end: datetime) -> None:
        """Keep the end of this run. Raises SettingError where the folder cannot be written."""
        content = {"set": source.name, "folder": str(source.folder), "end": end.isoformat()}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file(source).write_text(json.dumps(content) + "\n", encoding="utf-8")
        except OSError as error:
            raise SettingError(f"{self._folder}: cannot be written: {error.strerror}") from None

    def _file(self, source: Source) -> Path:
        name = f"{source.name}\x00{source.folder.resolve()}".encode()
        return self._folder / f"{blake2b(name, digest_size=8).hexdigest()}.json"
