"""Runs sections and writes them down: every repeat as JSON, a table, and the bounds of all machines side by side."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from bench.rows import Options, Row, meets, number, table, value
from benchmark import files, paths
from benchmark.errors import BadInput, unknown
from benchmark.stamp import commit, stamp

# Name -> module of this folder, and what it measures. In this order.
SECTIONS = {
    "ceiling": "what the hardware can do at most",
    "train": "a training step on four architectures",
    "evaluate": "one pass over train and test data",
    "augment": "augmentation of a batch",
    "mia": "the membership attack beside the exact SVC",
    "startup": "a job until its first batch; a table",
    "workflow": "the quick study whole; planning the paper study",
    "scale": "time against trials and dataset size",
}
# Of the section `ceiling`: what tells one machine from another.
CEILING = ("matrix product, 2048 x 2048, bfloat16", "matrix product, 2048 x 2048, float32", "copy of 256 MiB")
HEADS = ("work", "ours", "reference", "times better", "share of peak", "how", "also", "wanted", "met")
Sections = dict[str, dict[str, Any]]  # by name: the stamp and the rows of each


def chosen(only: str) -> list[str]:
    """Return the sections of a comma-separated list, all for an empty one; raise `BadInput` for an unknown name."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in SECTIONS:
            raise unknown("section", name, SECTIONS, "--only")
    return names or list(SECTIONS)


def bench(names: Sequence[str], options: Options, name: str) -> Path:
    """Run sections and return the table's path, ``results/bench/<name>.md``; the JSON lies beside it.

    Each section is written as soon as it is done; the file's other sections stay as they are.

    Raises
    ------
    BadInput
        If a file in ``results/bench`` cannot be read: before anything is measured.
    """
    path = paths.BENCH / f"{name}.json"
    sections = read(paths.BENCH).get(name, {})
    for section in names:
        print(f"{section}: {SECTIONS[section]}", flush=True)
        started = _now()
        with threadpool_limits(options.threads):
            rows = importlib.import_module(f"bench.{section}").rows(options)
        sections[section] = {"stamp": _stamp(options, started), "rows": rows}
        print(_table(rows), flush=True)
        files.write_json(path, sections)
        files.write_text(path.with_suffix(".md"), markdown(sections))
        files.write_text(paths.BENCH / "machines.md", comparison(read(paths.BENCH)))
    return path.with_suffix(".md")


def read(folder: Path) -> dict[str, Sections]:
    """Return the sections of every JSON file of a folder by its name; raise `BadInput` for one that is no JSON."""
    machines = {}
    for path in sorted(folder.glob("*.json")):
        try:
            machines[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadInput(f"{path}: {error}: delete it, or choose another --name") from None
    return machines


def _now() -> dict[str, Any]:
    return {"time": datetime.now(UTC).isoformat(timespec="seconds"), "load": round(os.getloadavg()[0], 2)}


def _stamp(options: Options, started: dict[str, Any]) -> dict[str, Any]:
    from benchmark.training.device import Device

    device = Device.choose("auto", options.threads)
    run = {"started": started, "ended": _now(), "device": device.name, "precision": device.precision}
    libraries = {name: importlib.metadata.version(name) for name in ("torchvision", "numpy", "snakemake")}
    return run | asdict(options) | stamp() | libraries | {"commit": commit("bench")}


def markdown(sections: Sections) -> str:
    """Return all sections of a file as Markdown."""
    parts = []
    for name, section in sections.items():
        what = SECTIONS.get(name, "no longer measured; the commit named here did")
        parts += [f"**{name}**: {what}. {_origin(section['stamp'])}", _table(section["rows"])]
    return "\n\n".join([*parts, f"{_met(sections)} with bounds meet them."]) + "\n"


def _origin(stamp: dict[str, Any]) -> str:
    versions = ", ".join(f"{package} {stamp[package]}" for package in ("torch", "torchvision", "numpy"))
    return (
        f"{stamp['device']}, {stamp['cores']} cores, {stamp['threads']} threads, {stamp['precision']}; load "
        f"{stamp['started']['load']} before; {stamp['ended']['time'][:10]}, commit {stamp['commit']}; Python "
        f"{stamp['python']}, {versions}.{' **Short run: the numbers mean nothing.**' * stamp['short']}"
    )


def _table(rows: list[Row]) -> str:
    lines = [
        [
            row["work"],
            f"{number(row['ours'])} {row['unit']}",
            *(number(row[column]) for column in ("reference", "ratio", "share")),
            row["how"],
            "; ".join(f"{name} {number(figure)}" for name, figure in row["figures"].items()),
            ", ".join(row["wanted"]),
            {True: "yes", False: "**no**", None: ""}[row["met"]],
        ]
        for row in rows
    ]
    return table(HEADS, lines, ("work", "how", "also", "wanted"))


def _met(sections: Sections) -> str:
    bounded = [row["met"] for section in sections.values() for row in section["rows"] if row["met"] is not None]
    return f"{sum(bounded)} of {len(bounded)} rows"


def comparison(machines: dict[str, Sections]) -> str:
    """Return what each machine can do, and each bound beside what the machines measured: two tables in Markdown.

    A figure in bold misses its bound; a dash stands where a machine has not measured it. Short runs are left out.
    """
    full = {
        name: sections
        for name, sections in machines.items()
        if not any(section["stamp"]["short"] for section in sections.values())
    }
    heads = ("name", "hardware", *CEILING, "measured", "met")
    hardware = [_hardware(name, sections) for name, sections in full.items()]
    figures = [_bounds(sections) for sections in full.values()]
    lines = [
        [bound, *(measured.get(bound, "–") for measured in figures)]
        for bound in dict.fromkeys(bound for measured in figures for bound in measured)
    ]
    return f"{table(heads, hardware, heads[:1])}\n\n{table(('wanted', *full), lines, ('wanted',))}\n"


def _hardware(name: str, sections: Sections) -> list[str]:
    stamps = [section["stamp"] for section in sections.values()]
    days = sorted(stamp["ended"]["time"][:10] for stamp in stamps)
    rows = sections["ceiling"]["rows"] if "ceiling" in sections else []
    peaks = [next((_figure(row, "ours") for row in rows if row["work"].startswith(work)), "–") for work in CEILING]
    when = " to ".join(dict.fromkeys((days[0], days[-1])))
    return [name, f"{stamps[0]['device']}, {stamps[0]['threads']} threads", *peaks, when, _met(sections)]


def _bounds(sections: Sections) -> dict[str, str]:
    """Return what was measured, by bound in words."""
    figures = {}
    for name, section in sections.items():
        label = name if name in SECTIONS else f"{name} (no longer measured)"
        for row in section["rows"]:
            for bound in row["wanted"]:
                figure = _figure(row, bound.rsplit(" ", 2)[0])
                figures[f"{label}: {row['work']}: {bound}"] = figure if meets(row, bound) else f"**{figure}**"
    return figures


def _figure(row: Row, name: str) -> str:
    return number(value(row, name)) + (f" {row['unit']}" if name == "ours" else "")
