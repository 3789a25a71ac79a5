"""Running sections and writing down what they found: JSON with every repeat, and a table to read."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from bench import summary
from bench.rows import Options, Row, how, number, table
from benchmark import files, paths, processor
from benchmark.errors import BadInput, unknown

# Name -> module below this package, and what it measures. In this order.
SECTIONS = {
    "ceiling": "what the hardware can do at most",
    "train": "a training step of four methods on four architectures",
    "alternatives": "what was tried and left out, as the reference",
    "evaluate": "one pass over train and test data",
    "augment": "augmentation of a batch",
    "mia": "the membership attack beside the exact SVC",
    "maps": "t-SNE and UMAP",
    "startup": "a job until its first batch; a table",
    "memory": "peak memory of training",
    "resident": "memory of eight jobs on one dataset",
    "precision": "bfloat16 beside float32 on real images",
    "workflow": "the quick study whole; planning the paper study",
    "scale": "time against trials, cells and dataset size",
    "imagenet": "what ImageNet would take",
    "original": "one Original of CIFAR-10 at the paper's epochs; on a GPU",
}
PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "umap-learn", "openTSNE", "snakemake")


def chosen(only: str) -> list[str]:
    """Return the sections of a comma-separated list, or all for an empty one.

    Where all are asked for, one whose images are missing is left out, and a line says so.

    Raises
    ------
    BadInput
        If a name is unknown, or its section's images are missing: now, not after the hour that other sections take.
    """
    from bench import precision

    names = [name.strip() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in SECTIONS:
            raise unknown("section", name, SECTIONS, "--only")
    missing = precision.missing()
    if missing and "precision" in names:
        raise BadInput(missing)
    if missing and not names:
        print(f"precision: left out: {missing}", flush=True)
    return names or [name for name in SECTIONS if not (missing and name == "precision")]


def bench(sections: Sequence[str], options: Options, name: str) -> Path:
    """Run sections and return the table's path, ``results/bench/<name>.md``; the JSON lies beside it.

    Each section is written as soon as it is done; sections that are not asked for keep what they have.

    Raises
    ------
    BadInput
        If what is there already cannot be read.
    """
    path = paths.BENCH / f"{name}.json"
    found = summary.read(path) if path.is_file() else {}
    summary.measured(paths.BENCH)  # all of them are read again after each section: what cannot be, is told now
    for section in sections:
        print(f"{section}: {SECTIONS[section]}", flush=True)
        started = _moment()
        with threadpool_limits(options.threads):
            rows: list[Row] = importlib.import_module(f"bench.{section}").rows(options)
        found[section] = {"stamp": _stamp(options, started), "rows": [row.plain() for row in rows]}
        print(_table(found[section]["rows"]), flush=True)
        told = {key: found[key] for key in SECTIONS if key in found}
        files.write_json(path, told)
        files.write_text(path.with_suffix(".md"), markdown(told))
        summary.write()
    return path.with_suffix(".md")


def _moment() -> dict[str, Any]:
    return {"time": datetime.now(UTC).isoformat(timespec="seconds"), "load": round(os.getloadavg()[0], 2)}


def _stamp(options: Options, started: dict[str, Any]) -> dict[str, Any]:
    from benchmark.stamp import commit
    from benchmark.training.device import Device

    device = Device.choose("auto", options.threads)
    return {
        "started": started,
        "ended": _moment(),
        "device": device.name,
        "processor": processor.name(),
        "cores": os.cpu_count(),
        "threads": options.threads,
        "precision": device.precision,
        "repeats": options.repeats,
        "short": options.short,
        "commit": commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{package: importlib.metadata.version(package) for package in PACKAGES},
    }


# --- the table ------------------------------------------------------------------------------------------------------

HEADS = ("work", "ours", "reference", "times better", "share of peak", "how", "also", "wanted", "met")
TEXTS = ("work", "how", "also", "wanted")


def markdown(found: dict[str, Any]) -> str:
    """Return all sections as Markdown."""
    parts = []
    for name, section in found.items():
        parts += [f"**{name}**: {SECTIONS[name]}. {_told(section['stamp'])}", _table(section["rows"])]
    bounds = [row["met"] for section in found.values() for row in section["rows"] if row["met"] is not None]
    parts.append(f"{sum(bounds)} of {len(bounds)} rows with bounds meet them.")
    return "\n\n".join(parts) + "\n"


def _told(stamp: dict[str, Any]) -> str:
    versions = ", ".join(f"{package} {stamp[package]}" for package in ("torch", "torchvision", "numpy"))
    short = " **Short run: the numbers mean nothing.**" if stamp["short"] else ""
    return (
        f"{stamp['device']}, {stamp['cores']} cores, {stamp['threads']} threads, {stamp['precision']}; load "
        f"{stamp['started']['load']} before; {stamp['ended']['time'][:10]}, commit {stamp['commit']}; Python "
        f"{stamp['python']}, {versions}.{short}"
    )


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        [
            row["work"],
            f"{number(row['ours'])} {row['unit']}",
            number(row["reference"]),
            number(row["ratio"]),
            number(row["share"]),
            row.get("how", how(row["seconds"], "")),  # older files do not say it
            "; ".join(f"{key} {number(value)}" for key, value in row["figures"].items()),
            ", ".join(row["wanted"]),
            {True: "yes", False: "**no**", None: ""}[row["met"]],
        ]
        for row in rows
    ]
    return table(HEADS, lines, TEXTS)
