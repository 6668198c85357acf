"""Colours of pictures, which the colour-blind tell apart, and which print in grey.

Okabe and Ito, Color universal design, 2008 (`https://jfly.uni-koeln.de/color/`). No meaning is by
colour alone: lines differ in their dashes too.
"""

from __future__ import annotations

from typing import Any, Final

INK: Final = "#222222"
FAINT: Final = "#999999"
BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
GREEN: Final = "#009E73"
ORANGE: Final = "#E69F00"
PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
BLACK: Final = "#000000"

LINES: Final = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, BLACK, SKY)
DASHES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)))

# For pictures with matplotlib: text stays text in SVG, and the same figures give the same bytes.
STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "vigie",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.titlesize": 10.0,
    "legend.frameon": False,
}
