"""What a fleet came to, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from math import nan
from statistics import quantiles
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table

if TYPE_CHECKING:
    from array import array

    from simulators.fleet import Account


def as_json(account: Account) -> str:
    """Write the account for a program; of the waits for receipts, the percentiles in seconds."""
    told = asdict(account)
    told["receipts"] = dict(zip(("p50", "p95", "p99"), _percentiles(account.receipts), strict=True))
    return msgspec.json.encode(told | {"whole": account.whole}).decode()


def table(account: Account) -> Table:
    """Lay the account out."""
    tally, seconds = account.tally, max(account.seconds, 0.001)
    made = Table("what", "number", title="Fleet")
    made.columns[1].justify = "right"
    rows: list[tuple[str, str]] = [
        ("devices", f"{account.devices:,}"),
        ("connected", f"{account.connected:,} in {account.connecting_seconds:,.0f} s"),
        ("connections that ended", f"{sum(account.ended.values()):,}"),
        *((f"  {why}", f"{count:,}") for why, count in sorted(account.ended.items())),
        ("messages sent", f"{tally.sent:,} ({tally.sent / seconds:,.0f}/s)"),
        ("messages safe", f"{tally.safe:,}"),
        ("messages repeated", f"{tally.repeated:,}"),
        ("messages without room", f"{account.late:,}"),
        ("messages the broker refused", f"{sum(account.turned_away.values()):,}"),
        ("messages without a receipt", f"{account.unsettled:,}"),
        ("readings refused", f"{tally.refused.total():,}"),
        *((f"  {reason}", f"{count:,}") for reason, count in tally.refused.most_common()),
        ("publish to receipt, p50, p95, p99", _spread(account.receipts)),
        ("seconds", f"{account.seconds:,.0f}"),
    ]
    for row in rows:
        made.add_row(*row)
    return made


def told(account: Account) -> str:
    """Say in one line how far it is."""
    return (
        f"{account.connected:,} connected, {account.tally.sent:,} sent, {account.tally.safe:,} safe"
    )


def _spread(seconds: array[float]) -> str:
    return ", ".join(f"{1000 * one:,.0f} ms" for one in _percentiles(seconds))


def _percentiles(seconds: array[float]) -> tuple[float, float, float]:
    if len(seconds) < 2:  # noqa: PLR2004 (quantiles of one are none)
        return (nan, nan, nan)
    cuts = quantiles(seconds, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]
