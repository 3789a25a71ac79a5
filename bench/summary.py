"""All machines that the benchmark was run on, side by side: what each can do, and what was wanted of it.

``python -m bench.summary`` writes results/bench/machines.md from the JSON files beside it; a measurement does
so too. A figure in bold misses its bound; a dash stands where a machine has not measured it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.rows import Wanted, number, table
from benchmark import files
from benchmark.errors import BadInput
from benchmark.paths import BENCH

TABLE = BENCH / "machines.md"
# Of the section `ceiling`: what tells one machine from another.
CEILING = ("matrix product, 2048 x 2048, bfloat16", "matrix product, 2048 x 2048, float32", "copy of 256 MiB")
MISSING = "–"


def write() -> Path:
    """Write the table of all machines and return its path."""
    files.write_text(TABLE, markdown(measured(BENCH)))
    return TABLE


def measured(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what `bench.report` wrote to a folder, by the name it was written under; no short runs.

    Raises
    ------
    BadInput
        As `read`.
    """
    found = {path.stem: read(path) for path in sorted(folder.glob("*.json"))}
    return {name: sections for name, sections in found.items() if not _short(sections)}


def read(path: Path) -> dict[str, Any]:
    """Return the sections of one file; raise `BadInput` if it is no JSON."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise BadInput(f"{path}: {error}: delete it, or give another --name") from None


def markdown(machines: dict[str, dict[str, Any]]) -> str:
    """Return both tables as Markdown.

    Parameters
    ----------
    machines : as `measured` returns them.
    """
    heads = ("name", "hardware", *CEILING, "measured", "met")
    hardware = [_hardware(name, sections) for name, sections in machines.items()]
    bounds = {name: _bounds(sections) for name, sections in machines.items()}
    every = dict.fromkeys(bound for told in bounds.values() for bound in told)
    wanted = [[bound, *(told.get(bound, MISSING) for told in bounds.values())] for bound in every]
    return f"{table(heads, hardware, heads[:1])}\n\n{table(('wanted', *machines), wanted, ('wanted',))}\n"


def _short(sections: dict[str, Any]) -> bool:
    return any(section["stamp"]["short"] for section in sections.values())


def _rows(sections: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, row) for name, section in sections.items() for row in section["rows"]]


def _hardware(name: str, sections: dict[str, Any]) -> list[str]:
    stamps = [section["stamp"] for section in sections.values()]
    days = sorted({stamp["ended"]["time"][:10] for stamp in stamps})
    rows = [row for _, row in _rows(sections)]
    able = [next((_figure(row, "ours") for row in rows if row["work"].startswith(work)), MISSING) for work in CEILING]
    met = [row["met"] for row in rows if row["met"] is not None]
    hardware = f"{stamps[0]['device']}, {stamps[0]['threads']} threads"
    return [name, hardware, *able, " to ".join(dict.fromkeys((days[0], days[-1]))), f"{sum(met)} of {len(met)} rows"]


def _bounds(sections: dict[str, Any]) -> dict[str, str]:
    """Return each bound, in words, with what was measured."""
    told = {}
    for name, row in _rows(sections):
        for bound in map(Wanted.read, row["wanted"]):
            figure = _figure(row, bound.what)
            told[f"{name}: {row['work']}: {bound}"] = figure if bound.met(_value(row, bound.what)) else f"**{figure}**"
    return told


def _figure(row: dict[str, Any], what: str) -> str:
    return number(_value(row, what)) + (f" {row['unit']}" if what == "ours" else "")


def _value(row: dict[str, Any], what: str) -> float:
    return float(row["figures"].get(what, row.get(what)))


if __name__ == "__main__":
    print(write())
