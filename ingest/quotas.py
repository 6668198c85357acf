"""A device that floods: what is above its quota goes by the backfill lane, and others are unharmed.

Nothing is lost by it and receipts come as usual; those readings are stored when there is time, and
raise no alert.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

# Over its quota for so long, and still within the last so many seconds: it is reported.
REPORT_SECONDS, RECENT_SECONDS = 60.0, 10.0


@dataclass(slots=True)
class _Bucket:
    values: float  # left
    at: float  # monotonic, when `values` was true
    over_since: float = inf
    over_last: float = -inf
    reported: bool = False


class Quotas:
    """A token bucket per device, in values (a reading of one vital): a rate, and a reserve.

    `per_second` is what a device may send for ever; `reserve_seconds` of that may come at once, so
    that a device that was out of reach for a while is not taken for a flood. A bucket may fall into
    debt, by what came within one flush; until it is out of it, the device is over its quota.
    """

    def __init__(self, per_second: float, reserve_seconds: float = 100.0) -> None:
        self._rate, self._most = per_second, per_second * reserve_seconds
        self._buckets: dict[str, _Bucket] = {}
        self._in_debt: set[str] = set()

    def spend(self, device: str, values: int, now: float) -> None:
        """Take values that passed out of the device's bucket.

        `now` is monotonic, in seconds. Call it for devices of the registry only.
        """
        bucket = self._buckets.get(device)
        if bucket is None:
            bucket = self._buckets[device] = _Bucket(self._most, now)
        bucket.values = self._left(bucket, now) - values
        bucket.at = now
        if bucket.values < 0:
            self._in_debt.add(device)

    def over(self, device: str, now: float) -> bool:
        """Whether what this device sends now is above its quota; costs nearly nothing if not."""
        if device not in self._in_debt:
            return False
        bucket = self._buckets[device]
        if self._left(bucket, now) >= 0:
            self._in_debt.discard(device)
            return False
        if now - bucket.over_last > RECENT_SECONDS:
            bucket.over_since, bucket.reported = now, False
        bucket.over_last = now
        return True

    def flooding(self, now: float) -> list[str]:
        """List devices that have been over their quota for a minute and go on."""
        return [
            device
            for device, bucket in self._buckets.items()
            if now - bucket.over_last <= RECENT_SECONDS
            and bucket.over_last - bucket.over_since >= REPORT_SECONDS
        ]

    def news(self, now: float) -> list[str]:
        """List those among the flooding devices that were not told of since they began."""
        fresh = [name for name in self.flooding(now) if not self._buckets[name].reported]
        for name in fresh:
            self._buckets[name].reported = True
        return fresh

    def _left(self, bucket: _Bucket, now: float) -> float:
        return min(self._most, bucket.values + (now - bucket.at) * self._rate)
