"""How a table fits on paper: which columns it has there, its type size, and which columns break into lines.

Widths are estimated from Computer Modern at 7 points, the widest letters that papers are set in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from benchmark.report.tabular import CLOSE, OPEN, Table

# In points: 5.5 inches, the narrowest full line of any conference, and half a page of two columns.
LINE, HALF = 397.0, 234.0
# Type size, by name and in points, and the space on either side of a column; the first that fits is used.
SIZES = (
    ("footnotesize", 8, 4),
    ("footnotesize", 8, 3),
    ("scriptsize", 7, 3),
    ("scriptsize", 7, 2),
    ("scriptsize", 7, 1.5),
)
# Columns that may break into lines, and the fewest points each needs: long texts first, then names of rows.
BREAKING = (("wrapped", 90), ("is_text", 60))

# A number, its standard deviation and its gap, each in a column of its own within the table's column.
NUMBER = re.compile(r"(?P<value>[+−]?[\d.]+)(±(?P<deviation>[\d.]+))?( \((?P<gap>[\d.]+)\))?")

SIGNS = {"value": "", "deviation": "±", "gap": " ()"}  # around each part

# Widths of characters, in units of the type size; bold type is `BOLD` times as wide.
WIDE = dict.fromkeys("±−+×=<>≤≥≈mwMW%✗✓", 0.9) | dict.fromkeys("()[]fjrts ", 0.45)
WIDE |= dict.fromkeys(".,:;il'’‘|!", 0.32) | dict.fromkeys((OPEN, CLOSE), 0.0)
WIDE |= dict.fromkeys("0123456789", 0.57)
CAPITAL, OTHER, BOLD = 0.8, 0.58, 1.15


class Layout(NamedTuple):
    """A table on paper.

    Attributes
    ----------
    indices : of the columns shown, in order.
    broken : those of them that break into lines and share the remaining room.
    size : of the type, as LaTeX names it, and in ``points``.
    gap : points on either side of a column.
    width : points that the table takes, ``room`` of them for each broken column.
    """

    indices: Sequence[int]
    broken: frozenset[int]
    size: str
    points: float
    gap: float
    width: float
    room: float


def layout(table: Table) -> Layout:
    """Return how a table fits in `LINE`: in the largest type, with optional columns if possible.

    A table that cannot fit is made as narrow as possible: its width is then more than `LINE`.
    """
    columns, all_indices = table.columns, range(len(table.columns))
    for breaking, least in BREAKING:
        for indices in (all_indices, [index for index in all_indices if not columns[index].optional]):
            for size, points, gap in SIZES:
                natural = _natural(table, indices, points, gap)
                broken = {i for i in indices if getattr(columns[i], breaking) and natural[i] > least}
                spacing = 2 * gap * (len(indices) - 1)
                if (total := spacing + sum(natural.values())) <= LINE:
                    return Layout(indices, frozenset(), size, points, gap, total, 0.0)
                fixed = spacing + sum(natural[index] for index in indices if index not in broken)
                if broken and (room := (LINE - fixed) / len(broken)) >= least:
                    return Layout(indices, frozenset(broken), size, points, gap, LINE, room)
    return Layout(indices, frozenset(broken), size, points, gap, fixed + least * len(broken), least)


def _natural(table: Table, indices: Sequence[int], points: float, gap: float) -> dict[int, float]:
    """Return how many points each column takes; the last of a group takes more if the group's name needs it."""
    natural = {index: points * max(_entry_width(table, index), *map(ems, heading(table, index))) for index in indices}
    for group, members in groupby(indices, key=lambda index: table.columns[index].group):
        *rest, last = members
        needed = points * max(map(ems, halves(group)))
        natural[last] = max(natural[last], needed - sum(natural[index] + 2 * gap for index in rest))
    return natural


def ems(text: str) -> float:
    """Return a text's estimated width, in units of its type size."""
    return sum(WIDE.get(sign, CAPITAL if sign.isupper() else OTHER) for sign in text)


def halves(name: str) -> list[str]:
    """Return a heading in one or two lines, whichever is narrowest."""
    words = re.split(f" (?![^{OPEN}]*{CLOSE})", name)  # a formula stays whole
    splits = [[" ".join(words[:end]), " ".join(words[end:])] for end in range(1, len(words))]
    return min(splits or [[name]], key=lambda lines: max(map(ems, lines)))


def heading(table: Table, index: int) -> list[str]:
    """Return the lines of a column's heading: two where one would be wider than the entries below."""
    name = table.columns[index].name
    return [name] if ems(name) <= _entry_width(table, index) else halves(name)


def group_heading(table: Table, indices: Sequence[int]) -> list[str]:
    """Return the lines of a heading that neighbouring columns share."""
    name = table.columns[indices[0]].group
    return [name] if ems(name) <= sum(_entry_width(table, index) + 1 for index in indices) - 1 else halves(name)


def _entry_width(table: Table, index: int) -> float:
    """Return the estimated width of a column's entries, in units of the type size."""
    column = table.columns[index]
    widest: dict[str, float] = dict.fromkeys(("value", "deviation", "gap", "words"), 0.0)
    for entry in (row[index] for block in table.blocks for row in table.rows(block)):
        weight = BOLD if entry.bold else 1.0
        number = None if column.is_text else NUMBER.fullmatch(entry.text)
        if number:
            widths = {part: ems(number[part] + SIGNS[part]) for part in SIGNS if number[part]}
            widths["value"] *= weight
        elif entry.spans:
            widths = {}
        else:
            # Beside a number a mark takes no room.
            after = entry.after if column.is_text or len(entry.after) > 1 else ""
            widths = {"words": ems(entry.text) * weight + ems(after)}
        widest |= {part: max(widest[part], width) for part, width in widths.items()}
    return max(widest.pop("words"), sum(widest.values()))
