"""What is told, as the writers and the suite see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ingest.readings import SPECS, Original, Quality, judge
from ingest.units import conversion

if TYPE_CHECKING:
    from ingest.readings import Instant, Vital

RECEIVED = datetime(2026, 11, 24, 12, tzinfo=UTC)


def note(instant: Instant, vital: Vital, given: float, unit: str) -> None:
    """Put a value as it is given into an instant, as a reader must; none if it is beyond belief."""
    convert = conversion(vital, unit)
    assert convert is not None
    value = convert(given)
    quality = judge(vital, value)
    if not isinstance(quality, Quality):
        return
    instant.values[vital] = value
    if quality:
        instant.quality[vital] = int(quality)
    if unit != SPECS[vital].unit:
        instant.original[vital] = Original(given, unit)


def written(instant: Instant, vital: Vital) -> tuple[float, str]:
    """Return what stands in the message for a value: a number and its UCUM unit."""
    original = instant.original.get(vital)
    if original is not None:
        return original.value, original.unit
    return instant.values[vital], SPECS[vital].unit
