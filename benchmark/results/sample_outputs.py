"""What the models of a cell say of every sample, trial by trial, read from the runs; and the audits of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.files import write_text, written_origin
from benchmark.metrics import membership
from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import DIVERGED, METRICS
from benchmark.metrics.samplewise import battery
from benchmark.metrics.samplewise.battery import Outputs
from benchmark.metrics.samplewise.margins import Floats, Mask, margin_of_loss
from benchmark.metrics.samplewise.memorisation import by_memorisation, memorisation
from benchmark.metrics.samplewise.sufficiency import Forgetting
from benchmark.names import HELD_OUT, RETRAIN, Cell
from benchmark.registry import OWN_AUDITS
from benchmark.results import records
from benchmark.results.records import FIRST
from benchmark.study.runs import Run, placed
from benchmark.study.study import Study


class Samples(NamedTuple):
    """What one run says: `Outputs` of one trial, the samples' labels, which of them it held out, and own audits."""

    margin: Floats
    prediction: npt.NDArray[np.int16]
    test_margin: Floats
    unseen_margin: Floats
    label: npt.NDArray[np.int64]
    held_out: Mask
    own: dict[str, float]


@dataclass(frozen=True)
class CellOutputs:
    """What each method's models say, what the trials of Retrain forgot, and the labels, (samples,).

    ``own`` has what the study's own audits read: columns ``method, audit, trial, value``.
    """

    methods: dict[str, Outputs]
    given: Forgetting
    label: npt.NDArray[np.int64]
    own: pd.DataFrame


@dataclass(frozen=True)
class Reader:
    """Reads what runs say of samples.

    Attributes
    ----------
    metrics : a row a run and cell, as `benchmark.results.measured` has it.
    partial : pass over what is missing or damaged instead of raising `StaleOutput`.
    """

    study: Study
    runs: Sequence[Run]
    cells: Sequence[Cell]
    metrics: pd.DataFrame
    partial: bool = False

    def audits(self) -> pd.DataFrame:
        """Return what `battery.by_trial` does of every cell that has Retrain, and ``twins``: see docs/results.md."""

        def audited(cell: Cell, of: CellOutputs) -> pd.DataFrame:
            twins = {trial: self._twins(cell, trial) for trial in map(int, of.given.trials)}
            frame = battery.by_trial(of.methods, of.given)
            if self.study.audits:
                frame = pd.concat([frame, _beside_retrain(of.own)], ignore_index=True)
            return frame.assign(twins=frame["trial"].map(twins).astype(float))

        return self._of_every_cell(audited, self.study.audits)

    def memorised(self) -> pd.DataFrame:
        """Return what `by_memorisation` does of every cell that has Retrain."""
        return self._of_every_cell(lambda _, of: by_memorisation(of.methods, of.given, of.label))

    def _of_every_cell(
        self, compute: Callable[[Cell, CellOutputs], pd.DataFrame], own: Sequence[str] = ()
    ) -> pd.DataFrame:
        """Return the rows of all cells, with the run's name first; ``own`` audits are read where rows need them."""
        frames = []
        for cell in self.cells:
            if (outputs := self.outputs(cell, own)) is not None and len(frame := compute(cell, outputs)):
                frame = frame.assign(study=self.study.name, **vars(cell))
                frames.append(frame[[*FIRST, *frame.columns.difference(FIRST, sort=False)]])
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(FIRST))

    def outputs(self, cell: Cell, own: Sequence[str] = ()) -> CellOutputs | None:
        """Return what the models of a cell say, those of trials that diverged left out; None without Retrain."""
        here = in_cell(self.metrics, cell) if len(self.metrics) else self.metrics
        if here.empty or not ((here["method"] == RETRAIN) & (here["status"] != DIVERGED)).any():
            return None
        numbers = here[here["status"] != DIVERGED].set_index(["method", "trial"])[METRICS]
        runs: dict[str, dict[int, Run]] = {}
        for run, _ in placed(self.runs, [cell]):
            if (run.name.method, run.name.trial) in numbers.index:
                runs.setdefault(run.name.method, {})[run.name.trial] = run
        forgets = self._read(runs[RETRAIN], lambda run: records.forget(self.study, run, cell.scenario))
        said = {
            method: self._read(
                {trial: run for trial, run in mine.items() if trial in forgets},
                lambda run: _samples(self.study, run, forgets[run.name.trial], own),
            )
            for method, mine in runs.items()
        }
        if not said[RETRAIN]:
            return None
        methods = {method: _stacked(mine, numbers.loc[method]) for method, mine in said.items() if mine}
        forgotten = np.zeros_like(methods[RETRAIN].margin, dtype=bool)
        for row, trial in zip(forgotten, said[RETRAIN], strict=True):
            row[_indices(forgets[trial], "train")] = True
        held_out = np.stack([one.held_out for one in said[RETRAIN].values()])
        label = next(iter(said[RETRAIN].values())).label
        read = [
            (method, audit, trial, value)
            for method, mine in said.items()
            for trial, one in mine.items()
            for audit, value in one.own.items()
        ]
        audited = pd.DataFrame(read, columns=["method", "audit", "trial", "value"])
        return CellOutputs(methods, Forgetting(methods[RETRAIN].trials, forgotten, held_out), label, audited)

    def _read(self, runs: dict[int, Run], read: Callable[[Run], Any]) -> dict[int, Any]:
        """Return what is read of each trial's run."""
        by_trial = {}
        for trial, run in runs.items():
            with records.passing_over_if(self.partial):
                by_trial[trial] = read(run)
        return by_trial

    def _twins(self, cell: Cell, trial: int) -> float:
        """Return how many images a trial forgot that it retained equal ones of, as the split says; NaN if it is old."""
        split = self.study.split(cell.dataset, cell.scenario, trial if "split" in self.study.resample else 0)
        return float(written_origin(paths.split(split.place)).get("twins", np.nan))


def write_scores(study: Study, place: str, path: Path) -> Path:
    """Write how far Retrain's trials of a cell memorise each training sample, as ``index,score``; return the path.

    A sample that fewer than two trials retained, or fewer than two did not, has no score. Raises `BadInput` where that
    is so of all, and `StaleOutput` where a run is missing.
    """
    cell = Cell.parse(place)
    runs = [run for run, where in placed(study.runs(), study.cells) if where == cell and run.name.method == RETRAIN]
    if not runs:
        raise BadInput(f"{cell}: study {study.name!r} has no Retrain there: it has {', '.join(map(str, study.cells))}")
    forgets = [records.forget(study, run) for run in runs]
    said = [_samples(study, run, forget) for run, forget in zip(runs, forgets, strict=True)]
    trained_on = np.stack([~one.held_out for one in said])
    for row, forget in zip(trained_on, forgets, strict=True):
        row[_indices(forget, "train")] = False
    scores = memorisation(np.stack([one.prediction == one.label for one in said]), trained_on)
    if np.isnan(scores).all():
        raise BadInput(
            f"{cell}: its {len(runs)} trials do not retain and leave out any sample twice, as resample: [split] does"
        )
    about = f"# Memorisation of each training sample by Retrain's {len(runs)} trials of {cell}, study {study.name}\n"
    lines = "".join(f"{index},{'' if np.isnan(score) else f'{score:.4f}'}\n" for index, score in enumerate(scores))
    write_text(path, f"{about}index,score\n{lines}")
    return path


def _samples(study: Study, run: Run, forget: pd.DataFrame, own: Sequence[str] = ()) -> Samples:
    rows = records.frame(study, run, paths.SAMPLES).sort_values("index", kind="stable")
    test = rows[rows["split"] == "test"]
    train = rows[rows["split"].isin(["train", HELD_OUT])]
    if not np.array_equal(train["index"], np.arange(len(train))):
        raise StaleOutput(f"{run.name}: its samples lack some of the training set: run snakemake again")
    left_out = test["index"].isin(_indices(forget, "test")).to_numpy()
    tests, held_out = margin(test), (train["split"] == HELD_OUT).to_numpy()
    unseen = tests[left_out] if left_out.any() else tests
    prediction, label = (train[column].to_numpy() for column in ("prediction", "label"))
    audited = {audit: _own_audit(audit, run, rows, forget) for audit in own}
    return Samples(margin(train), prediction, tests[~left_out], unseen, label, held_out, audited)


def _own_audit(audit: str, run: Run, samples: pd.DataFrame, forget: pd.DataFrame) -> float:
    """Return what an audit of the study's own reads of a run; raise `BadInput` where that is no number."""
    try:
        return float(OWN_AUDITS.get(audit)(samples.assign(membership=membership(samples, forget).astype(str))))
    except Exception as error:
        raise BadInput(f"audit {audit!r} of run {run.name}: {type(error).__name__}: {error}") from error


def _beside_retrain(own: pd.DataFrame) -> pd.DataFrame:
    """Return rows as `battery.by_trial` does, of own audits: their null is what they read of the trial's Retrain."""
    is_retrain = own["method"] == RETRAIN
    null = own[is_retrain].rename(columns={"value": "null"}).drop(columns="method")
    return own[~is_retrain].merge(null, on=["audit", "trial"]).assign(enough=1.0)


def _stacked(trials: dict[int, Samples], metrics: pd.DataFrame) -> Outputs:
    """Return what a method's trials say as one, a row a trial."""
    margin, prediction, test, unseen, *_ = (np.stack(part) for part in zip(*trials.values(), strict=True))
    numbers = metrics.loc[list(trials)].to_numpy(dtype=float)
    return Outputs(np.array(list(trials)), margin, prediction, test, unseen, numbers)


def margin(samples: pd.DataFrame) -> Floats:
    """Return the margin of each row, (rows,): from the loss, and so approximate, where an older file has no margin."""
    if "margin" in samples:
        return samples["margin"].to_numpy(dtype=float)
    return margin_of_loss(samples["loss"].to_numpy())


def _indices(forget: pd.DataFrame, split: str) -> Any:
    return forget.loc[forget["split"] == split, "index"].to_numpy()
