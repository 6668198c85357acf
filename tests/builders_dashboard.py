"""What a Grafana dashboard asks Prometheus, as text that Prometheus itself can answer."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Grafana fills these in from the screen's width and the scrape interval.
VARIABLES = {"$__rate_interval": "1m", "$__interval": "1m", "$__range": "30m"}

_QUOTED = re.compile(r'"[^"]*"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_BRACKETS = re.compile(r"\{[^}]*\}|\[[^\]]*\]")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\(|[a-zA-Z0-9_:])")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset"})


def panels(path: Path) -> Iterator[dict[str, Any]]:
    """Yield each panel of the dashboard in `path`, those inside collapsed rows too."""
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries(path: Path) -> list[tuple[str, str]]:
    """List (panel title, PromQL) of the dashboard in `path`, Grafana's variables filled in."""
    found = []
    for panel in panels(path):
        for target in panel.get("targets", []):
            expr: str = target["expr"]
            for variable, value in VARIABLES.items():
                expr = expr.replace(variable, value)
            found.append((panel["title"], expr))
    return found


def metrics(expr: str) -> set[str]:
    """Name the metrics that a PromQL expression reads.

    >>> sorted(metrics('sum by (le) (rate(a_total{job="b"}[1m])) / on (x) c:d or vector(0)'))
    ['a_total', 'c:d']
    """
    for noise in (_QUOTED, _BRACKETS, _GROUPING):
        expr = noise.sub("", expr)
    return set(_NAME.findall(expr)) - _WORDS
