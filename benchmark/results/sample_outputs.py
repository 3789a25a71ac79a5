"""The outputs of a cell's models on every sample, trial by trial, read from the runs, and the audits of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput, fault_of
from benchmark.files import write_text, written_origin
from benchmark.metrics import membership
from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.evidence import in_cell
from benchmark.metrics.samples import METRICS
from benchmark.metrics.samplewise import battery
from benchmark.metrics.samplewise.agreement import known_beyond, known_beyond_test
from benchmark.metrics.samplewise.battery import MethodOutputs
from benchmark.metrics.samplewise.built_in_audits import Forgetting
from benchmark.metrics.samplewise.margins import Floats, Mask, margin_of_loss
from benchmark.metrics.samplewise.matching import as_hard
from benchmark.metrics.samplewise.memorisation import by_memorisation, memorisation
from benchmark.names import CHOSEN, DIVERGED, HELD_OUT, RETRAIN, Cell, Scenario
from benchmark.registry import OWN_AUDITS
from benchmark.results import records
from benchmark.results.records import FIRST_COLUMNS
from benchmark.study.runs import Run, with_cells
from benchmark.study.study import Study

LARGEST = 1e12  # value of an own audit, of which means and intervals are taken
SCORES_TITLE = "# Memorisation of each"  # with which a file of scores begins


class RunOutputs(NamedTuple):
    """One run's outputs on training and test samples, which it forgot or held out, and the study's own audits."""

    margin: Floats
    prediction: npt.NDArray[np.int16]
    test_margin: Floats
    test_correct: Mask
    test_forgotten: Mask
    label: npt.NDArray[np.int64]
    held_out: Mask
    own_audits: dict[str, float]


@dataclass(frozen=True)
class CellOutputs:
    """The outputs of each method's models, what the trials of Retrain forgot, and the labels, (samples,).

    ``own_audits`` has the values of the study's own audits: columns ``method, audit, trial, value``.
    """

    methods: dict[str, MethodOutputs]
    forgetting: Forgetting
    label: npt.NDArray[np.int64]
    own_audits: pd.DataFrame


@dataclass(frozen=True)
class OutputsReader:
    """Reads the outputs of runs on samples.

    ``metrics`` has a row per run and cell, as in `benchmark.results.measured`. ``partial`` passes over what is missing
    or damaged instead of raising `StaleOutput`.
    """

    study: Study
    runs: Sequence[Run]
    cells: Sequence[Cell]
    metrics: pd.DataFrame
    partial: bool = False

    def audits(self) -> pd.DataFrame:
        """Return `battery.by_trial` of every cell that has Retrain, with ``twins``: see docs/results.md."""

        def audited(cell: Cell, outputs: CellOutputs) -> pd.DataFrame:
            twins = {trial: self._twins(cell, trial) for trial in map(int, outputs.forgetting.trials)}
            frame = battery.by_trial(outputs.methods, outputs.forgetting)
            if self.study.audits:
                frame = pd.concat([frame, _beside_retrain(outputs.own_audits)], ignore_index=True)
            return frame.assign(twins=frame["trial"].map(twins).astype(float))

        return self._of_every_cell(audited, self.study.audits)

    def memorised(self) -> pd.DataFrame:
        """Return `by_memorisation` of every cell that has Retrain."""
        return self._of_every_cell(
            lambda _, outputs: by_memorisation(outputs.methods, outputs.forgetting, outputs.label)
        )

    def _of_every_cell(
        self, compute: Callable[[Cell, CellOutputs], pd.DataFrame], own_audits: Sequence[str] = ()
    ) -> pd.DataFrame:
        """Return the rows of all cells, starting with the run's name; ``own_audits`` are the audits that rows need."""
        frames = []
        for cell in self.cells:
            if (outputs := self.outputs(cell, own_audits)) is not None and len(frame := compute(cell, outputs)):
                frame = frame.assign(study=self.study.name, **vars(cell))
                frames.append(frame[[*FIRST_COLUMNS, *frame.columns.difference(FIRST_COLUMNS, sort=False)]])
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(FIRST_COLUMNS))

    def outputs(self, cell: Cell, own_audits: Sequence[str] = ()) -> CellOutputs | None:
        """Return the outputs of a cell's models, without trials that diverged; None without Retrain."""
        if self.metrics.empty:
            return None
        cell_rows = in_cell(self.metrics, cell)
        metrics = cell_rows[cell_rows["status"] != DIVERGED].set_index(["method", "trial"])[METRICS]
        runs = [run for run, _ in with_cells(self.runs, [cell]) if (run.name.method, run.name.trial) in metrics.index]
        retrains = [run for run in runs if run.name.method == RETRAIN]
        forgets = self._read(retrains, lambda run: records.forget_rows(self.study, run, cell.scenario)).get(RETRAIN, {})
        runs = [run for run in runs if run.name.trial in forgets]
        samples = self._read(runs, lambda run: _run_outputs(self.study, run, forgets[run.name.trial], own_audits))
        if not (retrain := samples.get(RETRAIN)):
            return None
        held_out = _stack(retrain, "held_out")
        forgotten = _forgotten([forgets[trial] for trial in retrain], held_out.shape[1])
        matched = _matched(cell, retrain, forgotten)
        both = {method: {t: run for t, run in by_trial.items() if t in retrain} for method, by_trial in samples.items()}
        methods = {method: _stacked(runs, metrics.loc[method], matched) for method, runs in both.items() if runs}
        label = next(iter(retrain.values())).label
        audit_rows = [
            (method, audit, trial, value)
            for method, by_trial in samples.items()
            for trial, trial_samples in by_trial.items()
            for audit, value in trial_samples.own_audits.items()
        ]
        audit_values = pd.DataFrame(audit_rows, columns=["method", "audit", "trial", "value"])
        compared = np.stack(list(matched.values())) if matched else None
        forgetting = Forgetting(methods[RETRAIN].trials, forgotten, held_out, compared)
        return CellOutputs(methods, forgetting, label, audit_values)

    def _read(self, runs: list[Run], read: Callable[[Run], Any]) -> dict[str, dict[int, Any]]:
        """Return what ``read`` returns for each run, by method and trial."""
        by_method: dict[str, dict[int, Any]] = {}
        for name, result in records.read_all(lambda run: (run.name, read(run)), runs, self.partial):
            by_method.setdefault(name.method, {})[name.trial] = result
        return by_method

    def _twins(self, cell: Cell, trial: int) -> float:
        """Return how many of a trial's forgotten images equal a retained one; NaN if the split is too old to say."""
        split = self.study.split(cell.dataset, cell.scenario, self.study.split_trial(trial))
        return float(written_origin(paths.split(split.pool_path)).get("twins", np.nan))


def write_scores(study: Study, cell_name: str, path: Path, replace: bool = False) -> Path:
    """Write how strongly Retrain's trials of a cell memorise each training sample, as ``index,score``; return the path.

    Trials that diverged do not count. A sample that fewer than two trials retained, or fewer than two left out, has no
    score. Raises `BadInput` if that holds for all samples, or if the path holds anything but scores or, unless
    ``replace``, other ones; and `StaleOutput` if a run is missing.
    """
    cell = Cell.parse(cell_name)
    if path.exists() and not (path.is_file() and path.read_bytes().startswith(SCORES_TITLE.encode())):
        raise BadInput(f"{path} is there and holds no scores: accepted is a new file, or one that this command wrote")
    runs = _scoring_runs(study, cell)
    forgets = [records.forget_rows(study, run) for run in runs]
    by_run = [_run_outputs(study, run, forget) for run, forget in zip(runs, forgets, strict=True)]
    held_out = np.stack([samples.held_out for samples in by_run])
    correct = np.stack([samples.prediction == samples.label for samples in by_run])
    scores = memorisation(correct, ~held_out & ~_forgotten(forgets, held_out.shape[1]))
    if np.isnan(scores).all():
        raise BadInput(
            f"{cell}: its {len(runs)} trials do not retain and leave out any sample twice, as resample: [split] does"
        )
    title = f"{SCORES_TITLE} training sample by Retrain's {len(runs)} trials of {cell}, study {study.name}\n"
    lines = "".join(f"{index},{'' if np.isnan(score) else f'{score:.4f}'}\n" for index, score in enumerate(scores))
    text = f"{title}index,score\n{lines}"
    if path.exists() and not replace and path.read_text(encoding="utf-8") != text:
        remark = "what a study forgets by them would change"
        raise BadInput(f"{path} holds other scores ({remark}): accepted is a new file, or --replace")
    write_text(path, text)
    return path


def _scoring_runs(study: Study, cell: Cell) -> list[Run]:
    """Return Retrain's trials of a cell that did not diverge; raise `BadInput` if they cannot score samples."""
    pairs = with_cells(study.runs(), study.cells)
    runs = [run for run, run_cell in pairs if run_cell == cell and run.name.method == RETRAIN]
    if not runs:
        raise BadInput(f"{cell}: study {study.name!r} has no Retrain there: it has {', '.join(map(str, study.cells))}")
    if Scenario(cell.scenario).kind != "random":
        raise BadInput(f"{cell}: all trials forget the same samples: accepted is a cell that forgets at random")
    if "split" not in study.resample:
        fault = f"{study.file}: resample: {study.resample}: all trials of {cell} forget the same samples"
        raise BadInput(f"{fault}: accepted are [split] and [original, split]")
    runs = [run for run in runs if records.record(study, run)["status"] != DIVERGED]
    if not runs:
        raise BadInput(f"{cell}: Retrain diverged in every trial: nothing says what it memorises")
    return runs


def _run_outputs(study: Study, run: Run, forget: pd.DataFrame, own_audits: Sequence[str] = ()) -> RunOutputs:
    rows = records.frame(study, run, paths.SAMPLES).sort_values("index", kind="stable")
    test = rows[rows["split"] == "test"]
    train = rows[rows["split"].isin(["train", HELD_OUT])]
    if not np.array_equal(train["index"], np.arange(len(train))):
        raise StaleOutput(f"{run.name}: its samples lack some of the training set: run snakemake again")
    correct = (test["prediction"] == test["label"]).to_numpy()
    test_forgotten = test["index"].isin(_indices(forget, "test")).to_numpy()
    prediction, label = (train[column].to_numpy() for column in ("prediction", "label"))
    held_out = (train["split"] == HELD_OUT).to_numpy()
    audit_values = {audit: _own_audit(audit, run, rows, forget) for audit in own_audits}
    return RunOutputs(margin(train), prediction, margin(test), correct, test_forgotten, label, held_out, audit_values)


def _own_audit(audit: str, run: Run, samples: pd.DataFrame, forget: pd.DataFrame) -> float:
    """Return the value of an own audit for a run; raise `BadInput` if it is not a number, or an infinite one."""
    try:
        value = float(OWN_AUDITS.get(audit)(samples.assign(membership=membership(samples, forget).astype(str))))
    except (Exception, SystemExit) as error:
        fault = fault_of(error, OWN_AUDITS.module(audit))
        raise BadInput(f"audit {audit!r} of run {run.name}: {fault}") from error
    if not abs(value) <= LARGEST:
        raise BadInput(f"audit {audit!r} of run {run.name}: {value}: accepted is a finite number, at most ±{LARGEST:g}")
    return value


def _beside_retrain(audits: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of own audits like `battery.by_trial`; their null is the value for the trial's Retrain."""
    is_retrain = audits["method"] == RETRAIN
    nulls = audits[is_retrain].rename(columns={"value": "null"}).drop(columns="method")
    nulls = nulls.assign(pair=nulls["null"], enough=1.0)
    return audits[~is_retrain].merge(nulls, on=["audit", "trial"])


def _stacked(trials: dict[int, RunOutputs], metrics: pd.DataFrame, matched: dict[int, Indices]) -> MethodOutputs:
    """Return the outputs of a method's trials stacked, one row per trial; ``matched`` are as in `_matched`."""
    margin, prediction, test = (_stack(trials, name) for name in ("margin", "prediction", "test_margin"))
    numbers, of_class = metrics.loc[list(trials)].to_numpy(dtype=float), next(iter(trials.values())).test_forgotten
    evaluated = test[:, ~of_class]
    if matched:
        right = [outputs.test_correct[matched[trial]].mean() for trial, outputs in trials.items()]
        unseen, known = evaluated, known_beyond(numbers, 100 * np.array(right))
    elif of_class.any():
        unseen, known = test[:, of_class], known_beyond(numbers, 0.0)
    else:
        unseen, known = evaluated, known_beyond_test(numbers)
    return MethodOutputs(np.array(list(trials)), margin, prediction, evaluated, unseen, numbers, known)


def _matched(cell: Cell, retrain: dict[int, RunOutputs], forgotten: Mask) -> dict[int, Indices]:
    """Return for each trial the test samples as hard as its forgotten ones where a file chooses these; else nothing."""
    if Scenario(cell.scenario).kind not in CHOSEN:
        return {}
    margins, test_margins = (_stack(retrain, name) for name in ("margin", "test_margin"))
    return dict(zip(retrain, as_hard(margins[:, forgotten.any(axis=0)], test_margins), strict=True))


def _stack(trials: dict[int, RunOutputs], name: str) -> Any:
    return np.stack([getattr(outputs, name) for outputs in trials.values()])


def margin(samples: pd.DataFrame) -> Floats:
    """Return the margin of each row, (rows,); approximated from the loss where an older file has no margin."""
    if "margin" in samples:
        return samples["margin"].to_numpy(dtype=float)
    return margin_of_loss(samples["loss"].to_numpy())


def _forgotten(forgets: Sequence[pd.DataFrame], samples: int) -> Mask:
    """Return which of so many training samples each trial forgets, (trials, samples)."""
    forgotten = np.zeros((len(forgets), samples), dtype=bool)
    for row, forget in zip(forgotten, forgets, strict=True):
        row[_indices(forget, "train")] = True
    return forgotten


def _indices(forget: pd.DataFrame, split: str) -> Any:
    return forget.loc[forget["split"] == split, "index"].to_numpy()
