"""What runs have left on disk, read back as data frames: no torch, no training, no plotting."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import benchmark.metrics
from benchmark import paths
from benchmark.data import store
from benchmark.data.splits import read_split
from benchmark.errors import DamagedFile, StaleOutput
from benchmark.files import Damaged, digest, read_parquet, read_record, set_aside, sha256, write_record, written_digest
from benchmark.metrics import measure
from benchmark.metrics.gaps import METRICS
from benchmark.names import ORIGINAL, RETRAIN, Cell, RunName, Scenario
from benchmark.paths import HISTORY, MODEL, RUN, SAMPLES
from benchmark.study import prepare
from benchmark.study.outputs import stage_cell
from benchmark.study.runs import Derived, Run, placed
from benchmark.study.study import Study

FINISHED, DIVERGED = "finished", "diverged"

# How far below Original's a run's retain accuracy may fall, in points, before tables call it collapsed.
COLLAPSE = 20.0


def record(study: Study, run: Run, look: bool = False) -> dict[str, Any]:
    """Return a finished run's ``run.json``.

    Parameters
    ----------
    look : leave everything where it is.

    Raises
    ------
    StaleOutput
        If it is missing or damaged, if it belongs to another configuration than the study's, or if it was made from
        other images or another split than the ones on disk: what differs is named. A damaged one or one of other data
        is set aside, so that the next run of the workflow makes it again; one of another configuration stays, since it
        may be wanted when the study is changed back.
    """
    path = paths.run(study.name, run.name) / RUN
    try:
        found = read_record(path)
        told = found["slice"], found["fingerprint"]
        if found.get("run", str(run.name)) != str(run.name):
            raise Damaged(f"it is the record of {found['run']}")
    except FileNotFoundError:
        raise StaleOutput(f"{path} is missing: {run.name} has not been run") from None
    except (ValueError, KeyError, TypeError) as error:
        moved = "" if look else f"set aside as {set_aside(path)}; "
        raise StaleOutput(f"{path} is damaged ({error!r}): {moved}run snakemake again") from None
    if told[1] != run.fingerprint:
        raise StaleOutput(f"{path} is of another configuration ({difference(told[0], run.slice)}): run snakemake again")
    if other := _other_data(study, run, found):
        moved = "" if look else f"; it was set aside as {set_aside(path, 'other')}"
        raise StaleOutput(f"{path}: {other}{moved}: run snakemake again")
    return found


def _other_data(study: Study, run: Run, told: dict[str, Any]) -> str:
    """Say which data a record is of, if it is not what is on disk now. What is not on disk cannot be compared."""
    made_from = {"images": told.get("stamp", {}).get("data"), "split": told.get("split")}
    on_disk = {"images": store.content_hash_if_known(study.dataset_folder(run.name.dataset)), "split": None}
    if made_from["split"]:
        on_disk["split"] = written_digest(study.split_file(run))
    for what, made in made_from.items():
        if made and on_disk[what] and made != on_disk[what]:
            return f"{run.name} was made from other {what} ({made}) than there are now ({on_disk[what]})"
    return ""


def difference(old: dict[str, Any], new: dict[str, Any], place: str = "") -> str:
    """Name the first key in which two slices differ, with both values.

    Original's fingerprint comes last: it changes with whatever Original shares with the run, and says less.
    """
    for key in sorted(old.keys() | new.keys(), key=lambda key: (key == ORIGINAL, key)):
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            if inner := difference(before, now, f"{place}{key}."):
                return inner
        elif before != now:
            return f"{place}{key} was {before!r}, is {now!r}"
    return ""


def checked(study: Study, run: Run, name: str) -> Path:
    """Return the path of a run's file, after comparing it with the digest in ``run.json``.

    Raises
    ------
    StaleOutput
        As `record` does, or if the file is missing or was changed; a changed one is set aside under another name, so
        that the next run of the workflow makes it again.
    """
    path = paths.run(study.name, run.name) / name
    told = record(study, run)
    expected = told["sha256"].get(name)
    if not path.is_file() or expected is None:
        raise StaleOutput(f"{path} is missing: run snakemake again")
    if sha256(path) != expected:
        # A run that is being done again removes its record before it writes anything else: then nothing is damaged.
        if record(study, run) != told:
            raise StaleOutput(f"{path} is being made again: wait for {run.name} to end")
        raise StaleOutput(
            f"{path} is not what {run.name} wrote; it was set aside as {set_aside(path)}: run snakemake again"
        )
    return path


def finished(study: Study, run: Run) -> str | None:
    """Return how a run ended, if its files are all there and whole; else None."""
    try:
        told = record(study, run)
        for name in [SAMPLES, HISTORY, *([MODEL] if run.name in study.kept else [])]:
            checked(study, run, name)
    except StaleOutput:
        return None
    return str(told["status"])


def frame(study: Study, run: Run, name: str) -> pd.DataFrame:
    """Return ``samples.parquet`` or ``history.parquet`` of a run; raise `StaleOutput` as `checked` does."""
    return pd.read_parquet(checked(study, run, name))


def forget(study: Study, run: Run, scenario: str | None = None) -> pd.DataFrame:
    """Return what a run forgets, columns ``split``, ``index``, ``stage``; Original needs to be told the scenario."""
    origin = prepare.split_origin(study, run.name.dataset, scenario or run.name.scenario, run.split_trial)
    path = study.split_file(run, scenario)
    try:
        return read_split(path, origin)
    except DamagedFile as error:
        set_aside(error.path)
        # At once, since all runs seem to be in need of being done again where it is missing. It comes out the same.
        prepare.split(study, run.name.dataset, origin["scenario"], origin["trial"])
        raise StaleOutput(f"{error}. It has now been drawn again") from None


def classes(study: Study, dataset: str) -> list[str]:
    """Return the class names of a prepared dataset, in the order of its labels."""
    with prepare.mending(study, dataset):
        return list(store.facts(study.dataset_folder(dataset))["classes"])


def derived(study: Study, one: Derived) -> pd.DataFrame:
    """Return what was made from a run's features, such as its maps; see `benchmark.features.embed` for the columns.

    Raises
    ------
    StaleOutput
        If it is missing, damaged or of another configuration; what cannot be used is set aside.
    """
    path = paths.derived(study.name, one)
    try:
        return read_parquet(path, study.derived_origin(one))
    except FileNotFoundError:
        raise StaleOutput(f"{path} is missing: run snakemake again") from None
    except Damaged as error:
        raise StaleOutput(f"{path} is damaged ({error}): set aside as {set_aside(path)}; run snakemake again") from None


def metrics(study: Study, runs: Iterable[Run], cells: Iterable[Cell], partial: bool = False) -> pd.DataFrame:
    """Return one row a run and cell: the columns of ``results/<study>-metrics.parquet`` but for the gaps.

    Parameters
    ----------
    runs : which runs; Original has a row in several cells, see `benchmark.study.runs.placed`.
    partial : leave out runs that are missing or out of date instead of failing.
    """
    cells = list(cells)
    by_cell = placed(runs, cells)
    rows = []
    best = _best_epochs(study, by_cell, partial) if study.report_epoch == "best" else {}
    for run, cell in by_cell:
        try:
            rows.append(_row(study, run, cell, best.get((str(cell), run.name.method))))
        except StaleOutput:
            if not partial:
                raise
    table = pd.DataFrame(rows)
    return table if table.empty else _collapsed(study, table, cells)


def _row(study: Study, run: Run, cell: Cell, epoch: int | None) -> dict[str, Any]:
    told = record(study, run)
    history = frame(study, run, HISTORY)
    ended = epoch is None or told["status"] == DIVERGED  # which may have been before that epoch
    shown = history.iloc[-1] if ended else history.set_index("epoch", drop=False).loc[epoch]
    measured = (
        _original(study, run, cell, told) if run.name.is_original else {metric: shown[metric] for metric in METRICS}
    )
    if told["status"] == DIVERGED:
        measured = dict.fromkeys(METRICS, np.nan)
    return {
        "study": study.name,
        "dataset": cell.dataset,
        "arch": cell.arch,
        "scenario": cell.scenario,
        "method": run.name.method,
        "trial": run.name.trial,
        "status": told["status"],
        "epoch": int(shown["epoch"]),
        "report_epoch": "last" if epoch is None else study.report_epoch,
        **measured,
        **{key: float(shown[key]) for key in ("pflops", "pflops_executed", "seconds", "cpu_seconds")},
        "wall_seconds": told["wall_seconds"],
        "peak_memory_mb": told["peak_memory_mb"],
        **{f"setting_{key}": value for key, value in told["slice"]["settings"].items()},
        **told["stamp"],
        "started_from": (told.get("started_from") or "")[:16],
        "fingerprint": told["fingerprint"],
    }


def _original(study: Study, run: Run, cell: Cell, told: dict[str, Any]) -> dict[str, float]:
    """Measure an Original in a cell, or read what an earlier command measured: the attack takes a table a second.

    What was measured is taken only where samples, split, settings and the code that measures are the same.
    """
    samples, gone = checked(study, run, SAMPLES), forget(study, run, cell.scenario)
    of = {
        "samples": told["sha256"][SAMPLES],
        "split": written_digest(study.split_file(run, cell.scenario)),
        "members": study.members,
        "seed": study.seed,
        "code": _measuring(),
    }
    path = paths.measured(study.name, run.name, cell.scenario)
    with contextlib.suppress(OSError, Damaged):
        if (found := read_record(path)).get("of") == of:
            return {metric: float(found["metrics"][metric]) for metric in METRICS}
    measured = measure(pd.read_parquet(samples), gone, study.members, members_stream(study, cell))
    with contextlib.suppress(OSError):
        write_record(path, {"of": of, "metrics": {metric: measured[metric] for metric in METRICS}})
    return measured


@functools.cache
def _measuring() -> str:
    """Return a digest of the code that measures."""
    sources = sorted(Path(benchmark.metrics.__file__).parent.glob("*.py"))
    return digest([version("scikit-learn"), *(source.read_text(encoding="utf-8") for source in sources)])


def members_stream(study: Study, cell: Cell, stage: int | None = None) -> np.random.Generator:
    """Return the stream that draws the MIA's members where the study takes random ones: one draw a cell.

    Parameters
    ----------
    stage : of a sequential scenario, its last unless given: the draw is that of the Retrain it is compared with.
    """
    from benchmark.seeds import Streams

    if cell.scenario and (scenario := Scenario(cell.scenario)).kind == "sequential":
        cell = stage_cell(cell, stage or scenario.stages)
    return Streams(study.seed, (cell.dataset, cell.scenario)).numpy("members")


def _best_epochs(study: Study, by_cell: list[tuple[Run, Cell]], partial: bool) -> dict[tuple[str, str], int]:
    """Return, per cell and method, the epoch whose average gap, of the means over trials, is smallest.

    The choice looks at Retrain and so at the test set: tables call it the oracle epoch. Original and Retrain have one
    epoch, their last.
    """
    found: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for run, cell in by_cell:
        if run.name.is_original:
            continue
        try:
            history = frame(study, run, HISTORY)
        except StaleOutput:
            if partial:
                continue
            raise
        found.setdefault((str(cell), run.name.method), []).append(history)
    best = {}
    for (where, method), histories in found.items():
        if method == RETRAIN or (where, RETRAIN) not in found:
            continue
        target = pd.concat(history.tail(1) for history in found[where, RETRAIN])[list(METRICS)].mean()
        means = pd.concat(histories).groupby("epoch")[list(METRICS)].mean()
        gaps = (means - target).abs().mean(axis=1).dropna()
        if len(gaps):
            best[where, method] = int(gaps.idxmin())
    return best


def _collapsed(study: Study, table: pd.DataFrame, cells: list[Cell]) -> pd.DataFrame:
    """Add ``collapsed``: whether retain accuracy lies `COLLAPSE` points below that of Original."""
    floors = {}
    for dataset, arch in {(cell.dataset, cell.arch) for cell in cells}:
        original = study.run(RunName(dataset, arch, "", "original", 0))
        try:
            floors[dataset, arch] = float(frame(study, original, HISTORY)["ra"].iloc[-1]) - COLLAPSE
        except StaleOutput:
            floors[dataset, arch] = -np.inf
    floor = [floors[key] for key in zip(table["dataset"], table["arch"], strict=True)]
    return table.assign(collapsed=table["ra"] < floor)
