"""The journal of a tuning: Optuna studies in one file of lines, which survives kills and serves several processes.

An Optuna study is one method in one cell under one configuration; its trials are called candidates here, since a trial
is something else in this project. Candidate k is a function of the seed and of the candidates before it: within a
method and cell they follow one another, however many processes there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import digest
from benchmark.methods.base import Recipe
from benchmark.methods.contrastive import ContrastiveSettings
from benchmark.names import RETRAIN, Cell, matches
from benchmark.study.runs import Run
from benchmark.study.study import Study
from benchmark.study.tuning import base_of, tuned_cells

optuna.logging.set_verbosity(optuna.logging.WARNING)
POLL_SECONDS = 0.01
RANDOM = 4  # candidates before the sampler follows what it has seen
DIGITS = 3  # significant ones of a value: more would only make names long


@dataclass(frozen=True)
class Range:
    """The values of one setting that are tried: from ``low`` to ``high``, whole numbers or not, by magnitude or not."""

    low: float
    high: float
    log: bool
    whole: bool

    def inside(self, value: float) -> float | int:
        """Return the nearest value that a candidate can have: within the range, to `DIGITS` significant digits."""
        value = min(max(value, self.low), self.high)
        if self.whole:
            return round(value)
        digits = DIGITS + 1 if self.high < 1 < 10 * self.low else DIGITS  # such as 0.95 to 0.9999
        return min(max(float(f"{value:.{digits}g}"), self.low), self.high)

    def suggested(self, trial: optuna.Trial, name: str) -> float | int:
        """Return the value that Optuna has a candidate try."""
        if self.whole:
            return self.inside(trial.suggest_int(name, int(self.low), int(self.high)))
        return self.inside(trial.suggest_float(name, self.low, self.high, log=self.log))


def ranges(settings: Recipe) -> dict[str, Range]:
    """Return the ranges of the settings that are tuned, by name.

    A method with the contrastive term takes its base's own settings from the base's best candidate, and searches the
    term's and the learning rate. Where nothing is trained (SSD) the recipe's settings mean nothing.
    """
    model = type(settings)
    own = ContrastiveSettings if issubclass(model, ContrastiveSettings) else model
    among = own.model_fields.keys() - (Recipe.model_fields.keys() if settings.epochs == 0 else ())
    searched = {}
    for name, field in model.model_fields.items():
        extra: Any = field.json_schema_extra or {}
        if name in among and (search := extra.get("search")):
            searched[field.alias or name] = Range(**search, whole=field.annotation is int)
    return searched


@dataclass(frozen=True, eq=False)
class Pair:
    """A method in a cell: what is tuned, and gets the budget."""

    study: Study  # the derived one
    cell: Cell
    method: str

    @cached_property
    def default(self) -> Run:
        """The run with the study's own settings: what the search starts from."""
        return self.study.run(self.study.run_name(self.cell, self.method, 0))

    @cached_property
    def reference(self) -> Run:
        """Retrain, which candidates are compared with."""
        return self.study.run(self.study.run_name(self.cell, RETRAIN, 0))

    @cached_property
    def ranges(self) -> dict[str, Range]:
        """What is searched."""
        return ranges(self.default.settings)

    @cached_property
    def start(self) -> dict[str, Any]:
        """The study's own values of what is searched, moved into the ranges where they lie outside."""
        values = self.default.settings.model_dump(by_alias=True)
        return {name: searched.inside(values[name]) for name, searched in self.ranges.items()}

    @cached_property
    def name(self) -> str:
        """The name of the Optuna study: another one where anything that determines a candidate's result differs."""
        searched = {name: vars(limits) for name, limits in self.ranges.items()}
        configuration = [self.default.fingerprint, self.reference.fingerprint, searched]
        return f"{self.cell}/{self.method}#{digest(configuration)[:12]}"

    def run(self, values: dict[str, Any]) -> Run:
        """Return the run of a candidate: the method's name says its values."""
        settings = "".join(f"@{key}={value}" for key, value in values.items())
        return self.study.run(self.study.run_name(self.cell, self.method + settings, 0))


class Journal:
    """All candidates of the tuning of ``parent``, a study without what tuning found before."""

    def __init__(self, parent: Study) -> None:
        self.parent, self.tune = parent, parent.tune
        self.study = Study.load(f"{parent.name}-tuning")
        self.pairs = [
            Pair(self.study, Cell.parse(cell), method)
            for cell, methods in tuned_cells(parent).items()
            for method in methods
        ]
        # Methods in the order of the file, each in all cells, then the contrastive ones: a round is what comes between
        # two candidates of one pair, and an interrupted tuning has as many of each, or one more.
        self.pairs.sort(key=lambda pair: base_of(pair.method) is not None)
        self.path = paths.journal(parent.name)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.folder = paths.tuning_locks(parent.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "journal.lock", poll_interval=POLL_SECONDS)
        with lock:  # what looks half written may be another process's next line
            _cut_half_line(self.path)
        backend = JournalFileBackend(str(self.path), lock_obj=lock)  # type: ignore[arg-type]
        try:
            self.storage = optuna.storages.JournalStorage(backend)
        except (ValueError, KeyError) as error:
            raise BadInput(f"{self.path}: is damaged ({error}): move it away to start anew") from None
        self.choice = FileLock(self.folder / "choice.lock", poll_interval=POLL_SECONDS)
        self._optuna: dict[str, optuna.Study] = {}

    def clean(self) -> None:
        """Give up what a killed tuning left half done; no other process may be tuning.

        A candidate under way is failed: it is none of the budget, and the same one is tried again.
        """
        for pair in self.pairs:
            for trial in self._of(pair, TrialState.RUNNING):
                self._open(pair).tell(trial.number, state=TrialState.FAIL)

    def ended(self, pair: Pair) -> list[FrozenTrial]:
        """Return the pair's candidates that count, in the order in which they were tried."""
        return self._of(pair, TrialState.COMPLETE, TrialState.PRUNED)

    def left(self) -> int:
        """Return how many candidates are still to be tried."""
        return sum(max(0, self.tune.budget - len(self.ended(pair))) for pair in self.pairs)

    def next(self) -> tuple[Pair, optuna.Trial] | None:
        """Take the next candidate: of the pair that is furthest behind. None if no pair is to be had now."""
        with self.choice:
            counts = {pair: len(self.ended(pair)) for pair in self.pairs}
            for pair in sorted(self.pairs, key=counts.__getitem__):
                # Its base has to be one candidate ahead, which is how far a candidate may look at it.
                base = self._base(pair)
                ready = base is None or counts[base] > counts[pair]
                if ready and counts[pair] < self.tune.budget and not self._of(pair, TrialState.RUNNING):
                    return pair, self._ask(pair, counts[pair])
        return None

    def best(self, pair: Pair, among: int | None = None) -> FrozenTrial | None:
        """Return the pair's best candidate that ran to the end, among its first few if asked; None without one."""
        whole = [trial for trial in self.ended(pair)[:among] if trial.state == TrialState.COMPLETE]
        return min(whole, key=lambda trial: (trial.value, trial.number), default=None)

    def values(self, trial: FrozenTrial | optuna.Trial) -> dict[str, Any]:
        """Return the values that a candidate was run with, those that it took from its base included."""
        return dict(trial.user_attrs["values"])

    def _base(self, pair: Pair) -> Pair | None:
        base = base_of(pair.method)
        return next((p for p in self.pairs if (p.cell, p.method) == (pair.cell, base)), None) if base else None

    def _second(self, pair: Pair) -> dict[str, float | int]:
        """Return what the study says to try second, of what is searched."""
        start: dict[str, Any] = {}
        for pattern, entries in self.tune.start.items():
            if matches(pattern, str(pair.cell)):
                start |= entries.get(pair.method, {})
        return {name: searched.inside(start[name]) for name, searched in pair.ranges.items() if name in start}

    def _ask(self, pair: Pair, number: int) -> optuna.Trial:
        """Suggest candidate ``number``: the study's own values, then where it is told where to start those, and for a
        method with the contrastive term its base's best, then random ones, then a tree-structured Parzen estimator's.
        """
        study = self._open(pair)
        base, shared = self._base(pair), {}
        if base and (best := self.best(base, number + 1)):
            shared = self.values(best)
        second = self._second(pair)
        fixed = pair.start if number == 0 else {}
        if number == 1 and (base or second):
            fixed = pair.start | {key: shared[key] for key in pair.ranges.keys() & shared.keys()} | second
        tried = [self.values(before) for before in self.ended(pair)]
        if fixed and not self._of(pair, TrialState.WAITING) and shared | fixed not in tried:
            study.enqueue_trial(fixed)
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM, multivariate=True, seed=int(digest([self.tune.seed, pair.name, number])[:8], 16)
        )
        trial = study.ask()
        values = {name: searched.suggested(trial, name) for name, searched in pair.ranges.items()}
        trial.set_user_attr("values", shared | values)
        return trial

    def _of(self, pair: Pair, *states: TrialState) -> list[FrozenTrial]:
        return self._open(pair).get_trials(deepcopy=False, states=states)

    def _open(self, pair: Pair) -> optuna.Study:
        if pair.name not in self._optuna:
            warmup = int(self.tune.warmup * pair.default.settings.epochs)
            pruner = optuna.pruners.MedianPruner(n_startup_trials=self.tune.startup, n_warmup_steps=warmup)
            self._optuna[pair.name] = optuna.create_study(
                storage=self.storage, study_name=pair.name, load_if_exists=True, pruner=pruner
            )
        return self._optuna[pair.name]


def _cut_half_line(path: Path) -> None:
    """Cut off a last line that a crash of the machine left half written: it says nothing yet."""
    if path.is_file() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
