"""How a table fits on paper: the columns that it has there, the size of its type, and which columns break into lines.

Widths are estimated from Computer Modern at 7 points, the widest letters that papers are set in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from benchmark.report.tabular import CLOSE, OPEN, Table

# In points: 5.5 inches, the narrowest full line that conferences have, and half a page of two columns.
LINE, HALF = 397.0, 234.0
# Type size, that in points, and the space on either side of a column; the first that fits is taken.
SIZES = (
    ("footnotesize", 8, 4),
    ("footnotesize", 8, 3),
    ("scriptsize", 7, 3),
    ("scriptsize", 7, 2),
    ("scriptsize", 7, 1.5),
)
# Columns that may break into lines, and how many points each needs at least: long texts first, then what names a row.
BREAKING = (("wrapped", 90), ("is_text", 60))

# A number, its standard deviation and its gap, each in a column of its own within the table's column.
NUMBER = re.compile(r"(?P<value>[+−]?[\d.]+)(±(?P<deviation>[\d.]+))?( \((?P<gap>[\d.]+)\))?")

SIGNS = {"value": "", "deviation": "±", "gap": " ()"}  # around each part

# In units of the type size; bold type is so many times as wide.
WIDE = dict.fromkeys("±−+×=<>≤≥≈mwMW%✗✓", 0.9) | dict.fromkeys("()[]fjrts ", 0.45)
WIDE |= dict.fromkeys(".,:;il'’‘|!", 0.32) | dict.fromkeys((OPEN, CLOSE), 0.0)
WIDE |= dict.fromkeys("0123456789", 0.57)
CAPITAL, OTHER, BOLD = 0.8, 0.58, 1.15


class Layout(NamedTuple):
    """A table on paper.

    Attributes
    ----------
    places : of the columns that are shown, in order.
    broken : those of them that break into lines and share what room there is.
    size : of the type, as LaTeX names it, and in ``points``.
    gap : points on either side of a column.
    width : points that the table takes; ``room``, what of them a broken column has.
    """

    places: Sequence[int]
    broken: frozenset[int]
    size: str
    points: float
    gap: float
    width: float
    room: float


def layout(table: Table) -> Layout:
    """Return how a table fits in `LINE`: in the largest type, with all columns rather than without optional ones.

    What cannot fit is laid out as narrow as it gets.
    """
    columns, every = table.columns, range(len(table.columns))
    for breaking, least in BREAKING:
        for places in (every, [place for place in every if not columns[place].optional]):
            for size, points, gap in SIZES:
                natural = _natural(table, places, points, gap)
                broken = {p for p in places if getattr(columns[p], breaking) and natural[p] > least}
                between = 2 * gap * (len(places) - 1)
                if (whole := between + sum(natural.values())) <= LINE:
                    return Layout(places, frozenset(), size, points, gap, whole, 0.0)
                fixed = between + sum(natural[place] for place in places if place not in broken)
                room = (LINE - fixed) / max(len(broken), 1)
                narrowest = Layout(places, frozenset(broken), size, points, gap, LINE, max(room, least))
                if broken and room >= least:
                    return narrowest
    return narrowest


def _natural(table: Table, places: Sequence[int], points: float, gap: float) -> dict[int, float]:
    """Return how many points each column takes: the last of a group more, where the group's name needs it."""
    natural = {place: points * max(_content(table, place), *map(ems, heading(table, place))) for place in places}
    for group, members in groupby(places, key=lambda place: table.columns[place].group):
        *others, last = members
        needed = points * max(map(ems, halves(group)))
        natural[last] = max(natural[last], needed - sum(natural[place] + 2 * gap for place in others))
    return natural


def ems(text: str) -> float:
    """Return about how wide a text is, in units of its type size."""
    return sum(WIDE.get(sign, CAPITAL if sign.isupper() else OTHER) for sign in text)


def halves(name: str) -> list[str]:
    """Return a heading in the one or two lines that are narrowest."""
    words = re.split(f" (?![^{OPEN}]*{CLOSE})", name)  # a formula stays whole
    splits = [[" ".join(words[:place]), " ".join(words[place:])] for place in range(1, len(words))]
    return min(splits or [[name]], key=lambda lines: max(map(ems, lines)))


def heading(table: Table, place: int) -> list[str]:
    """Return the lines of a column's heading: two where one would be wider than what stands below."""
    name = table.columns[place].name
    return [name] if ems(name) <= _content(table, place) else halves(name)


def group_heading(table: Table, places: Sequence[int]) -> list[str]:
    """Return the lines of the heading that neighbours share."""
    name = table.columns[places[0]].group
    return [name] if ems(name) <= sum(_content(table, place) + 1 for place in places) - 1 else halves(name)


def _content(table: Table, place: int) -> float:
    """Return about how wide the cells of a column are, in units of the type size."""
    column = table.columns[place]
    parts: dict[str, float] = dict.fromkeys(("value", "deviation", "gap", "words"), 0.0)
    for entry in (row[place] for block in table.blocks for row in table.rows(block)):
        weight = BOLD if entry.bold else 1.0
        number = None if column.is_text else NUMBER.fullmatch(entry.text)
        if number:
            one = {part: ems(number[part] + SIGNS[part]) for part in SIGNS if number[part]}
            one["value"] *= weight
        elif entry.spans:
            one = {}
        else:
            # Beside a number a mark takes no room.
            after = entry.after if column.is_text or len(entry.after) > 1 else ""
            one = {"words": ems(entry.text) * weight + ems(after)}
        parts |= {part: max(parts[part], wide) for part, wide in one.items()}
    return max(parts.pop("words"), sum(parts.values()))
