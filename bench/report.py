"""Runs of sections and their reports: every repeat as JSON, and the answers of all machines on one page."""

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

from bench.rows import Options, Row, bounds_of, missed, number, table
from benchmark import files, paths
from benchmark.errors import BadInput, unknown
from benchmark.stamp import commit, stamp

# Module of this folder -> the question it answers.
SECTIONS = {
    "training": "How fast is training, beside plain code and beside the hardware's peak?",
    "start": "How long until the first batch?",
    "growth": "How does time grow?",
}
# Name of a section -> its parts: rows, and the stamp of when they were measured, usually all at once. A file may also
# hold a section `settled`, of what no command measures any more.
Sections = dict[str, list[dict[str, Any]]]


def chosen(only: str) -> list[str]:
    """Return the sections of a comma-separated list, all for an empty one; raise `BadInput` for an unknown name."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in SECTIONS:
            raise unknown("section", name, SECTIONS, "--only")
    return names or list(SECTIONS)


def bench(names: Sequence[str], options: Options, name: str) -> Path:
    """Run sections and return the path of the measurements, ``results/bench/<name>.json``.

    Each section is written as soon as it is done; the file's other sections stay as they are. ``machines.md`` beside it
    shows all machines.

    Raises
    ------
    BadInput
        If a file in ``results/bench`` cannot be read. It is raised before anything is measured.
    """
    path = paths.BENCH / f"{name}.json"
    sections = read(paths.BENCH).get(name, {})
    for section in names:
        started = _now()
        with threadpool_limits(options.threads):
            rows = importlib.import_module(f"bench.{section}").rows(options)
        sections[section] = [{"stamp": _stamp(options, started), "rows": rows}]
        files.write_json(path, sections)
        files.write_text(paths.BENCH / "machines.md", page(read(paths.BENCH)))
        meaning = "A short run: the numbers mean nothing.\n\n" if options.short else ""
        print(f"{answered(section, {name: sections})}\n\n{meaning}", end="", flush=True)
    return path


def read(folder: Path) -> dict[str, Sections]:
    """Return the sections of every JSON file in a folder, by its name; raise `BadInput` if one is not valid JSON."""
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
    further = {"snakemake": importlib.metadata.version("snakemake"), "commit": commit("bench")}
    return run | asdict(options) | stamp() | further


def page(machines: dict[str, Sections]) -> str:
    """Return, as Markdown, each question with all machines' answers, and the machines; short runs are left out."""
    full = {
        name: sections
        for name, sections in machines.items()
        if not any(part["stamp"]["short"] for parts in sections.values() for part in parts)
    }
    heads = ("name", "hardware", "threads", "measured", "at commit", "rows that meet their bounds")
    lines = [[name, *_origin(sections)] for name, sections in full.items()]
    questions = [answered(section, full) for section in SECTIONS]
    return "\n\n".join([*questions, f"## Machines\n\n{table(heads, lines, heads)}"]) + "\n"


def answered(section: str, machines: dict[str, Sections]) -> str:
    """Return a question, its command, each machine's answer in a sentence, and a table with a column for each.

    A figure in bold misses its bound; a dash stands where a machine has not measured it.
    """
    columns = {name: rows_by_work(sections, section) for name, sections in machines.items() if section in sections}
    answer = importlib.import_module(f"bench.{section}").answer
    answers = [f"- **{name}**: {answer(list(column.values()))}" for name, column in columns.items()]
    lines = []
    for work in dict.fromkeys(work for column in columns.values() for work in column):
        entries = [_entry(column[work]) if work in column else "–" for column in columns.values()]
        lines.append([work, *entries, ", ".join(bounds_of(work))])
    comparison = table(("work", *columns, "wanted"), lines, ("work", "wanted"))
    command = f"`python -m benchmark bench --only {section}`"
    return "\n\n".join([f"## {SECTIONS[section]}", command, "\n".join(answers), comparison])


def rows_by_work(sections: Sections, section: str) -> dict[str, Row]:
    """Return the rows of a section, by their work."""
    return {row["work"]: row for part in sections.get(section, []) for row in part["rows"]}


def _entry(row: Row) -> str:
    texts = {"ours": f"{number(row['ours'])} {row['unit']}"}
    if row["ratio"] is not None:
        texts["ratio"] = f"{number(row['ratio'])} times"
    if row["share"] is not None:
        texts["share"] = f"{number(row['share'])} of peak"
    return ", ".join(f"**{text}**" if name in missed(row) else text for name, text in texts.items())


def _origin(sections: Sections) -> list[str]:
    stamps = [part["stamp"] for section in SECTIONS for part in sections.get(section, [])]
    rows = [row for section in SECTIONS for row in rows_by_work(sections, section).values() if bounds_of(row["work"])]
    days = sorted(stamp["ended"]["time"][:10] for stamp in stamps)
    return [
        stamps[0]["device"],
        str(stamps[0]["threads"]),
        " to ".join(dict.fromkeys((days[0], days[-1]))),
        ", ".join(dict.fromkeys(stamp["commit"] for stamp in stamps)),
        f"{sum(not missed(row) for row in rows)} of {len(rows)}",
    ]
