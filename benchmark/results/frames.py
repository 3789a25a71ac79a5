"""The results of a study's runs as data frames, from which tables, figures and the page are drawn.

They are read from the runs if these are on disk, otherwise from the gathered files ``results/<study>-*.parquet``. Code
that draws them need not know which.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.errors import DamagedFile, StaleOutput
from benchmark.files import read_parquet, written_origin
from benchmark.metrics import membership
from benchmark.metrics.gaps import per_run_gaps
from benchmark.names import CELL_KEYS, ORIGINAL, RETRAIN, RUN_KEYS, Cell, RunName
from benchmark.results import measured, records
from benchmark.results.records import FIRST_COLUMNS
from benchmark.results.sample_outputs import OutputsReader
from benchmark.study.kinds import DISTANCES, MAPS, RELEARNING, VIEWS
from benchmark.study.runs import Derived, Run, TrialKey, with_cells
from benchmark.study.study import Study

CLASS_NAMES = ("label", "prediction", "nearest", "centroid")  # columns of class numbers, replaced by class names
FROM_WEIGHTS = {"embeddings": MAPS, "distances": DISTANCES, "views": VIEWS, "relearning": RELEARNING}


def _read_once(name: str) -> cached_property[pd.DataFrame]:
    return cached_property(lambda results: results._frame(name))


@dataclass(eq=False)
class Results:
    """The results of some runs of a study, read from the runs on disk; each frame is read on first use.

    What is missing or damaged raises `StaleOutput` unless ``partial``. Every frame starts with the columns ``study,
    dataset, arch, scenario, method, trial``; docs/results.md describes the others. Original has rows in several cells.
    """

    study: Study
    runs: Sequence[Run]
    cells: Sequence[Cell]
    derived: Sequence[Derived]
    partial: bool = False

    metrics = _read_once("metrics")  # a row per run and cell, at the epoch that the study reports
    history = _read_once("history")  # a row per run and evaluated epoch; Original's ``scenario`` is empty
    predictions = _read_once("predictions")  # counts by run, cell, membership, true and predicted class
    embeddings = _read_once("embeddings")  # a row per mapped run and sample; none for a run that diverged
    distances = _read_once("distances")  # a row per run, class of forget samples, and class of the centroid
    views = _read_once("views")  # a row per run and sample whose augmented views were compared
    relearning = _read_once("relearning")  # a row per run and number of steps after which it was evaluated
    audits = _read_once("audits")  # a row per run and audit of its samples, in cells that have Retrain
    memorised = _read_once("memorised")  # a row per run and group of forgotten samples of similar memorisation

    def classes(self, dataset: str) -> list[str]:
        """Return a dataset's class names, in the order of its labels; raise `StaleOutput` if they are unknown."""
        return records.classes(self.study, dataset)

    @cached_property
    def collapse_limits(self) -> dict[TrialKey, float]:
        """The retain accuracy, in per cent, below which runs have collapsed, where the study trains an Original."""
        return measured.collapse_limits(self.study, self.runs, self.partial)

    def collapsed(self, cell: Cell, trial: int, ra: float) -> bool:
        """Whether a run of a cell's trial has collapsed, by its retain accuracy in per cent."""
        return ra < self.collapse_limits.get((cell.dataset, cell.arch, trial), -np.inf)

    @property
    def codes(self) -> dict[str, str]:
        """The known versions of the code that made the runs, each with one of its runs."""
        if "code" not in self.metrics:
            return {}
        rows = self.metrics.dropna(subset=["code"])
        names = [str(RunName.of_row(*row)) for row in rows[RUN_KEYS].itertuples(index=False)]
        return dict(zip(rows["code"], names, strict=True))

    def _frame(self, name: str) -> pd.DataFrame:
        if name == "metrics":
            return measured.metrics(self.study, self.runs, self.cells, self.partial)
        if name in ("audits", "memorised"):
            reader = OutputsReader(self.study, self.runs, self.cells, self.metrics, self.partial)
            return getattr(reader, name)()
        frames = records.read_all(lambda pair: self._of_run(name, *pair), self._runs_in(name), self.partial)
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(FIRST_COLUMNS))

    def _runs_in(self, name: str) -> list[tuple[Run, str]]:
        """Return the runs that have rows in a frame, each with the rows' scenario."""
        if name == "history":
            return [(run, run.name.scenario) for run in self.runs]
        if name in FROM_WEIGHTS:
            return [(entry.run, entry.scenario) for entry in self.derived if entry.kind == FROM_WEIGHTS[name]]
        return [(run, cell.scenario) for run, cell in with_cells(self.runs, self.cells)]

    def _of_run(self, frame_name: str, run: Run, scenario: str) -> pd.DataFrame:
        """Return a run's rows of a frame: its name comes before their columns, and classes have their names."""
        if frame_name == "history":
            frame = records.frame(self.study, run, paths.HISTORY)
        elif frame_name == "predictions":
            frame = self._predictions(run, scenario)
        else:
            frame = records.derived(self.study.derive(FROM_WEIGHTS[frame_name], run, scenario))
        if frame_name == "embeddings":
            frame = frame.dropna(ignore_index=True)  # a run that diverged has no coordinates on a map
        if numbered := [column for column in CLASS_NAMES if column in frame]:
            classes = np.array(self.classes(run.name.dataset))
            frame = frame.assign(**{column: classes[frame[column]] for column in numbered})
        name = run.name
        first = (self.study.name, name.dataset, name.arch, scenario, name.method, name.trial)
        return frame.assign(**dict(zip(FIRST_COLUMNS, first, strict=True)))[[*FIRST_COLUMNS, *frame.columns]]

    def _predictions(self, run: Run, scenario: str) -> pd.DataFrame:
        samples = records.frame(self.study, run, paths.SAMPLES)
        samples["membership"] = membership(samples, records.forget_rows(self.study, run, scenario)).astype(str)
        keys = ["membership", "label"]
        counts = samples.groupby([*keys, "prediction"]).size().rename("count").reset_index()
        return counts.assign(percent=100 * counts["count"] / counts.groupby(keys)["count"].transform("sum"))


class Gathered(Results):
    """Results read from the gathered files; a missing or damaged file raises `StaleOutput`."""

    def classes(self, dataset: str) -> list[str]:
        """Return a dataset's class names, in the order of its labels; raise `StaleOutput` if they are unknown."""
        path = paths.gathered(self.study.name, "predictions")
        names = written_origin(path).get("classes", {})
        return list(names[dataset]) if dataset in names else super().classes(dataset)

    @cached_property
    def collapse_limits(self) -> dict[TrialKey, float]:
        """The retain accuracy, in per cent, below which runs have collapsed, where the study trains an Original."""
        history = gathered_frame(self.study.name, "history").drop_duplicates(RUN_KEYS, keep="last")
        last = {RunName.of_row(*row): ra for *row, ra in history[[*RUN_KEYS, "ra"]].itertuples(index=False)}
        originals = self.study.originals_of(self.runs).items()
        return {trial: float(last[run.name]) - measured.COLLAPSE for trial, run in originals if run.name in last}

    def _frame(self, name: str) -> pd.DataFrame:
        """Return the rows of a gathered file that belong to these runs."""
        gathered = gathered_frame(self.study.name, name)
        if gathered.empty:
            return gathered
        keys = {
            (run.name.dataset, run.name.arch, scenario, run.name.method, run.name.trial)
            for run, scenario in self._runs_in(name)
        }
        belongs = [row in keys for row in gathered[RUN_KEYS].itertuples(index=False, name=None)]
        return gathered[belongs].reset_index(drop=True)


def gathered_frame(study: str, name: str) -> pd.DataFrame:
    """Return one of the gathered files of a study; raise `StaleOutput` if it is missing or damaged."""
    remedy = f"run snakemake for study {study} first, or 'python -m benchmark collect {study}'"
    try:
        return read_parquet(paths.gathered(study, name), remedy=remedy)
    except DamagedFile as error:  # not a file to set aside: it may be in git
        raise StaleOutput(f"{error}: run snakemake again, or take it from git again") from None


def of_study(study: Study, partial: bool = False) -> Results:
    """Return the results of all runs of a study, read from the runs."""
    return Results(study, study.runs(), study.cells, study.derived, partial)


def gathered(study: Study) -> Results:
    """Return the gathered results of all runs of a study; `lacking` says how many of its runs they lack."""
    return Gathered(study, study.runs(), study.cells, study.derived)


def of_output(study: Study, name: str, partial: bool = False) -> Results:
    """Return the results that a table or figure shows: from its runs or, if any is not on disk, the gathered files."""
    kind = study.kind_of(name)
    if kind.from_gathered:
        return gathered(study)
    cells = study.output(name).parsed_cells
    runs, derived = study.runs_of(name), study.derived_of(name)
    originals = study.originals_of(runs).values()  # they decide which runs collapsed
    files = [paths.derived(entry.pool_path) for entry in derived]
    files += [paths.run(run.pool_path) / paths.RUN for run in (*runs, *originals)]
    if kind.shows_results and not all(file.is_file() for file in files):
        with contextlib.suppress(StaleOutput):
            if not lacking(study, gathered_frame(study.name, "metrics"), runs, derived):
                print(f"drawn from {paths.gathered(study.name, 'metrics')} and its like: not all of the runs are here")
                return Gathered(study, runs, cells, derived)
    return Results(study, runs, cells, derived, partial)


def lacking(
    study: Study, metrics: pd.DataFrame, runs: Iterable[Run] | None = None, derived: Iterable[Derived] | None = None
) -> str:
    """Return in words what the gathered results lack of runs and derived files, by default all; empty if nothing."""
    # By these the rows of a run are found: the method's name is that in the study.
    wanted = {(run.fingerprint, run.name.method) for run in (study.runs() if runs is None else runs)}
    present = set(zip(metrics["fingerprint"], metrics["method"], strict=True)) if "fingerprint" in metrics else set()
    if missing := len(wanted - present):
        return f"{missing} of the study's {len(wanted)} runs are missing or of another configuration"
    reported = set()  # of what is compared with Retrain; Original and Retrain have their last epoch in any case
    if wanted and RETRAIN in set(metrics["method"]):
        reported = set(metrics["report_epoch"][~metrics["method"].isin([ORIGINAL, RETRAIN])])
    if reported and study.report_epoch not in reported:
        return f"gathered with another report_epoch than {study.report_epoch!r}"
    held = written_origin(paths.gathered(study.name, "metrics")).get("derived")  # earlier versions do not say
    files = {entry.pool_path for entry in (study.derived if derived is None else derived)}
    return "" if held is None or files <= set(held) else f"lacks {min(files - set(held))} and the like"


def require_all_runs(study: Study, metrics: pd.DataFrame) -> None:
    """Raise `StaleOutput` if any of the study's runs and derived files is not among the gathered ones."""
    if problem := lacking(study, metrics):
        raise StaleOutput(f"{paths.gathered(study.name, 'metrics')}: {problem}: run snakemake again")


def require_one_code(results: Results) -> None:
    """Raise `StaleOutput` if a study that requires ``one_code`` has results of several versions."""
    if results.study.one_code and len(codes := results.codes) > 1:
        runs = " and ".join(f"{run} by {code}" for code, run in list(codes.items())[:2])
        remedy = f"'python -m benchmark run {results.study.name} RUN --again' makes a run again"
        raise StaleOutput(f"one_code: runs were made by {len(codes)} versions of the code, such as {runs}: {remedy}")


def with_gaps(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return metrics with each run's gaps to Retrain where its cell has one; runs without gaps come last."""
    if metrics.empty:
        return metrics
    has_reference = metrics.groupby(CELL_KEYS)["method"].transform(lambda methods: (methods == RETRAIN).any())
    gaps = per_run_gaps(metrics[has_reference]) if has_reference.any() else metrics[has_reference]
    return pd.concat([gaps, metrics[~has_reference]], ignore_index=True)
