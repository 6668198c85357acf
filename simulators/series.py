"""What a simulated patient is, and what a simulated device measures: the words of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# A bare number in the vital's own unit, a number with its unit, a letter of ACVPU, or true/false.
Value = float | bool | str | dict[str, float | str]


class Sample(NamedTuple):
    """One instant of one device: when it is sent, the device's own time of it, and its values.

    `due` and `time` are UTC; they differ where a device's clock is wrong or a sample is late.
    """

    due: datetime
    time: datetime
    values: Mapping[str, Value]

    def instant(self) -> dict[str, Value]:
        """Return the object that a device sends for it."""
        return {"time": stamp(self.time), **self.values}


@dataclass(frozen=True, slots=True)
class Bed:
    """A simulated patient with the one device that watches them, as the registry wants to know it.

    `ens` is the pairing identifier of the patient's e-health space; None shares nothing with it.
    """

    patient: str
    device: str
    profile: str
    model: str
    physician: str
    ens: str | None = None


def bed(patient: str, number: int, *, profile: str, model: str = "bedside-monitor") -> Bed:
    """Put a patient into a bed: every second one has an e-health space, five share a physician."""
    return Bed(
        patient=patient,
        device=f"{patient}-monitor",
        profile=profile,
        model=model,
        physician=f"service-{number // 5 + 1}@hopital.mssante.example",
        ens=f"idpe-{patient}" if number % 2 == 0 else None,
    )


def stamp(moment: datetime) -> str:
    """Write a moment as devices do: UTC, milliseconds, Z.

    >>> stamp(datetime(2026, 11, 24, 3, tzinfo=UTC))
    '2026-11-24T03:00:00.000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
