"""Everything behind a number: the runs that a name, a fingerprint, a folder or a table and method stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput, unknown
from benchmark.files import read_parquet, read_record, sha256, written_digest
from benchmark.metrics.samples import METRICS
from benchmark.names import ORIGINAL, RUN_KEYS, MethodName, RunName
from benchmark.paths import HISTORY, MODEL, RUN
from benchmark.results import frames
from benchmark.results.measured import COSTS
from benchmark.stamp import PACKAGES
from benchmark.study.runs import SHORT, Run
from benchmark.study.study import Study

NUMBERS = (*METRICS, *COSTS)
MADE = ("commit", "code", "plugins", "version")
MACHINE = ("device", "precision", "threads", "cores", "system")
VERSIONS = ("python", *(package.replace("-", "_") for package in PACKAGES))
STAMP = (*MACHINE, *VERSIONS, *MADE, "data")  # the gathered part of a run's stamp
GATHERED = ("study", "status", "wall_seconds", "peak_memory_mb", "started_from")
FINGERPRINT = rf"[0-9a-f]{{{SHORT},16}}"
ACCEPTED = (
    "a run's folder, fingerprint or name, or 'STUDY RUN', 'STUDY TABLE' and 'STUDY TABLE METHOD', such as "
    "'quick table2 coun'"
)


@dataclass(frozen=True)
class RecordedRun:
    """A run as in its record or, if the run is not here, as in the study's gathered results.

    ``folder`` is the run's, if it is here. ``record`` is the content of ``run.json``, or the gathered part of it.
    ``name`` is the run's name in the study that shows it or, if none is asked for, in the one that trained it.
    """

    folder: Path | None
    record: dict[str, Any]
    name: RunName

    @cached_property
    def numbers(self) -> dict[str, float]:
        """Metrics in per cent and costs, at the last epoch."""
        if self.folder is None:
            return dict(self.record["numbers"])
        last = read_parquet(self.folder / HISTORY).iloc[-1].dropna()
        return {key: float(last[key]) for key in NUMBERS if key in last}

    def facts(self, shown_by: dict[str, dict[str, str]]) -> dict[str, Any]:
        """Return all that is known about the run, by topic, as plain data.

        ``shown_by`` has, by study, the tables and figures that show it, each with the run's name in that study.
        """
        record, stamp, determined_by = self.record, self.record["stamp"], dict(self.record["slice"])
        settings = determined_by.pop("settings")
        del determined_by["run"]  # which `name` says with its settings
        versions = {key: value for key, value in stamp.items() if key not in (*MADE, *MACHINE, "data")}
        costs = {key: self.numbers[key] for key in COSTS if key in self.numbers}
        # The study that trained it, if that still shows it.
        study, name = record.get("study"), str(self.name)
        if shown_by:
            study = study if study in shown_by else min(shown_by)
            name = next(iter(shown_by[study].values()))
        return {
            "run": str(self.name),
            "fingerprint": record["fingerprint"],
            "status": record["status"],
            "metrics": {key: self.numbers[key] for key in METRICS if key in self.numbers},
            "cost": costs | {key: record[key] for key in ("wall_seconds", "peak_memory_mb") if key in record},
            "settings": settings,
            "determined by": _flat(determined_by),
            "started from": self._original() if determined_by.get("original") else {},
            "forgets": self._split() if record.get("split") else {},
            "made": {key: record[key] for key in ("started", "ended") if key in record}
            | {key: stamp[key] for key in MADE if stamp.get(key)},
            "machine": {key: stamp[key] for key in MACHINE if stamp.get(key)},
            "versions": versions,
            "images": stamp.get("data"),
            "folder": str(self.folder or "not here: as gathered"),
            "files": dict(self._files()),
            "shown by": [f"{name}: {', '.join(outputs)}" for name, outputs in shown_by.items()],
            "again": f"python -m benchmark run {study} {name} --again",
        }

    def _original(self) -> dict[str, Any]:
        fingerprint, name = self.record["slice"]["original"], self.name
        weights = self.record.get("started_from")
        pattern = f"{name.dataset}/{name.arch}/original/trial-*-{fingerprint[:SHORT]}"
        folders = (path for pool in _pools() for path in pool.glob(pattern) if _holds(path, weights))
        return {
            "fingerprint": fingerprint,
            **({"weights": weights} if weights else {}),
            "folder": next((str(folder) for folder in folders), "not here"),
        }

    def _split(self) -> dict[str, Any]:
        content, name = self.record["split"], self.name
        files = (paths.SPLITS / name.dataset / name.scenario).glob("trial-*.parquet")
        file = next((str(file) for file in files if written_digest(file) == content), "not here")
        return {"content": content, "file": file}

    def _files(self) -> Iterator[tuple[str, str]]:
        for name, expected in self.record.get("sha256", {}).items() if self.folder else ():
            path = self.folder / name
            intact = path.is_file() and sha256(path) == expected
            yield name, expected if intact else f"{expected} ({'damaged' if path.is_file() else 'not here'})"


@dataclass(frozen=True)
class Behind:
    """The runs behind a number or a table.

    ``title`` is the request in words; ``study`` and ``output`` are those of a table or figure.
    """

    title: str
    runs: list[RecordedRun]
    study: Study | None = None
    output: str = ""

    def shown_by(self) -> list[dict[str, dict[str, str]]]:
        """Return for each run what `RecordedRun.facts` needs; unreadable studies show none."""
        by_run: list[dict[str, dict[str, str]]] = [{} for _ in self.runs]
        positions = {run.record["fingerprint"]: position for position, run in enumerate(self.runs)}
        for name in paths.studies():
            try:
                study = Study.load(name)
                outputs = {key: {run.fingerprint: str(run.name) for run in study.runs_of(key)} for key in study.outputs}
            except BadInput:
                continue
            for fingerprint, position in positions.items():
                if shown_in := {output: runs[fingerprint] for output, runs in outputs.items() if fingerprint in runs}:
                    by_run[position][name] = shown_in
        return by_run


def behind(words: Sequence[str]) -> Behind:
    """Return what is behind a run or a table, named as `ACCEPTED` says; raise `BadInput` if there is none."""
    if len(words) == 1:
        return Behind(words[0], [_run(words[0])])
    study = Study.load(words[0])
    if len(words) == 2 and "/" in words[1]:
        run = study.run(words[1])
        return Behind(str(run.name), _recorded(study, [run]), study)
    if len(words) > 3:
        raise BadInput(f"{' '.join(words)!r}: accepted is {ACCEPTED}")
    return _output(study, words[1], words[2] if len(words) == 3 else "")


def _output(study: Study, name: str, method: str) -> Behind:
    output, kind = study.output(name), study.kind_of(name)
    runs = study.runs() if kind.from_gathered else study.runs_of(name) if kind.shows_results else []
    if not method:
        return Behind(f"{study.name} {name}", _recorded(study, runs), study, name)
    if not kind.shows_results:
        raise BadInput(
            f"{study.name} {name} {method}: this table shows settings; accepted is {study.name} {name} alone"
        )
    cells = study.cells if kind.from_gathered else output.parsed_cells
    first_trials = {study.run_name(cell, method, 0) for cell in cells}  # a variant may be another cell's own value
    method_runs = [run for run in runs if replace(run.name, trial=0) in first_trials]
    if not method_runs:
        raise unknown("method", method, {run.name.method for run in runs}, f"{study.name} {name}")
    return Behind(f"{study.name} {name} {MethodName.parse(method)}", _recorded(study, method_runs), study)


def _run(text: str) -> RecordedRun:
    """Return the run that a folder, a fingerprint or a name stands for."""
    folder = Path(text).parent if Path(text).name == RUN else Path(text)
    if (folder / RUN).is_file():
        return _trained(folder)
    pattern = ""
    if re.fullmatch(FINGERPRINT, text):
        pattern = f"**/trial-*-{text[:SHORT]}"
    elif text.count("/") > 2:
        name = RunName.parse(text)
        pattern, text = f"{name.plain}-*", str(name)
    folders = [path for pool in _pools() if pattern for path in sorted(pool.glob(pattern))]
    folders = [path for path in folders if "." not in path.name]  # those set aside end in .earlier-1
    runs = [_trained(path) for path in folders if (path / RUN).is_file()]
    runs = [run for run in runs if run.record["fingerprint"].startswith(text) or run.record["run"] == text]
    if not runs:
        raise BadInput(f"{text!r}: no such run in {paths.RUNS}: accepted is {ACCEPTED}")
    if len({run.record["fingerprint"] for run in runs}) > 1:
        several = ", ".join(f"{run.record['fingerprint'][:SHORT]} of {run.record.get('study')}" for run in runs)
        raise BadInput(f"{text!r}: several runs, {several}: accepted is one of these, or 'STUDY RUN'")
    return runs[0]


def _trained(folder: Path) -> RecordedRun:
    record = read_record(folder / RUN)
    return RecordedRun(folder, record, RunName.parse(record["run"]))


def _pools() -> list[Path]:
    return [paths.RUNS, *sorted(paths.RESULTS.glob("others/*/results/runs"))]


def _holds(folder: Path, weights: str | None) -> bool:
    """Whether an Original's record has these weights; any record will do for a run that does not name its weights."""
    written = read_record(folder / RUN)["sha256"].get(MODEL) if (folder / RUN).is_file() else None
    return not weights or (written or "").startswith(weights)


def _recorded(study: Study, runs: Sequence[Run]) -> list[RecordedRun]:
    """Return runs from their records or else from the gathered results; raise `StaleOutput` if one is in neither."""
    recorded: list[RecordedRun] = []
    gathered: pd.DataFrame | None = None
    for run in runs:
        folder = paths.run(run.pool_path)
        if (folder / RUN).is_file():
            recorded.append(RecordedRun(folder, read_record(folder / RUN), run.name))
            continue
        gathered = _gathered(study.name) if gathered is None else gathered
        if run.fingerprint not in gathered.index:
            raise StaleOutput(f"{run.name} has not been run: run snakemake")
        row = gathered.loc[run.fingerprint].dropna().to_dict()
        facts, stamp, numbers = ({key: row[key] for key in keys if key in row} for keys in (GATHERED, STAMP, NUMBERS))
        facts |= {"run": str(run.name), "fingerprint": run.fingerprint, "slice": run.origin}
        recorded.append(RecordedRun(None, facts | {"stamp": stamp, "numbers": numbers}, run.name))
    return recorded


def _gathered(study: str) -> pd.DataFrame:
    """Return a study's gathered runs by fingerprint, with the metrics and costs of their last epochs.

    Where no history is gathered, they are those of the reported epoch, and Original, which has a row per cell, has no
    metrics.
    """
    runs = frames.gathered_frame(study, "metrics")
    is_original = runs["method"] == ORIGINAL
    if paths.gathered(study, "history").is_file():
        last = frames.gathered_frame(study, "history").drop_duplicates(RUN_KEYS, keep="last")
        runs = runs.assign(scenario=runs["scenario"].mask(is_original, "")).drop(columns=[*NUMBERS])
        runs = runs.merge(last[[*RUN_KEYS, *NUMBERS]], on=RUN_KEYS, how="left")
    else:
        runs.loc[is_original, METRICS] = np.nan
    return runs.drop_duplicates("fingerprint").set_index("fingerprint")


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings under dotted names, without those that are not set."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            flat[prefix + key] = value
    return flat
