"""The journal of a tuning: Optuna studies in one file of lines, which survives kills and serves several processes.

An Optuna study is one method in one cell under one configuration. Its trials are called candidates here, since a trial
is something else in this project. Candidate k is a function of the seed and of the candidates before it: within a
method and cell they run one after another, however many processes there are.
"""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from statistics import mean
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from benchmark import paths
from benchmark.data import store
from benchmark.errors import BadInput
from benchmark.files import digest
from benchmark.names import RETRAIN, Cell
from benchmark.study.form import TuneSettings
from benchmark.study.resolve import plain_values
from benchmark.study.runs import Run
from benchmark.study.study import Study
from benchmark.study.tuning import TUNING, tuned_cells
from benchmark.tune.ranges import Range, ranges

optuna.logging.set_verbosity(optuna.logging.WARNING)
POLL_SECONDS = 0.01
RANDOM = 4  # candidates before the sampler follows their results: those that are not planned are random


@dataclass(frozen=True, eq=False)
class Pair:
    """A method in a cell: what is tuned, with a budget of its own."""

    study: Study  # the derived one
    cell: Cell
    method: str
    tune: TuneSettings

    @cached_property
    def default(self) -> Run:
        """The run with the study's own settings, from which the search starts."""
        return self.study.run(self.study.run_name(self.cell, self.method, 0))

    @cached_property
    def reference(self) -> Run:
        """The Retrain with which candidates are compared."""
        return self.study.run(self.study.run_name(self.cell, RETRAIN, 0))

    @cached_property
    def ranges(self) -> dict[str, Range]:
        """The ranges that are searched, by setting."""
        own_ranges = self.tune.ranges.get("*", {}) | self.tune.ranges.get(self.method, {})
        return ranges(self.default.settings, own_ranges)

    @cached_property
    def start(self) -> dict[str, Any]:
        """The study's own values of the searched settings, moved into their ranges where they lie outside."""
        values = plain_values(self.default.settings)
        return {name: limits.inside(values[name]) for name, limits in self.ranges.items()}

    @property
    def has_own_values(self) -> bool:
        """Whether the first candidate has the study's own values, since all of them lie in their ranges."""
        return self.start.items() <= plain_values(self.default.settings).items()

    @cached_property
    def planned(self) -> list[dict[str, Any]]:
        """The candidates that are tried first: the study's own values, then these with other learning rates."""
        planned = [self.start]
        for rate in self.tune.rates if "lr" in self.ranges else []:
            values = self.start | {"lr": self.ranges["lr"].inside(rate * self.start["lr"])}
            if values not in planned:  # as where two rates are beyond the range
                planned.append(values)
        return planned

    @cached_property
    def name(self) -> str:
        """The name of the Optuna study; it differs where anything that determines a candidate's result differs."""
        searched = {name: vars(limits) for name, limits in self.ranges.items()}
        configuration = [self.default.fingerprint, self.reference.fingerprint, searched]
        if self.tune.utility != TuneSettings.model_fields["utility"].default:  # the default had no place here at first
            configuration.append({"utility": self.tune.utility})
        return f"{self.cell}/{self.method}#{digest(configuration)[:12]}"

    def run(self, values: dict[str, Any]) -> Run:
        """Return the run of a candidate, whose method is named with its values."""
        settings = "".join(f"@{key}={value}" for key, value in values.items())
        return self.study.run(self.study.run_name(self.cell, self.method + settings, 0))


class Journal:
    """All candidates of the tuning of ``parent``, a study without earlier tuned values.

    With a folder ``copied_to`` the journal is copied there and read, and nothing is written elsewhere.
    """

    def __init__(self, parent: Study, copied_to: Path | None = None) -> None:
        self.parent, self.tune = parent, parent.tune
        self.study = Study.load(parent.name + TUNING)
        self.pairs = [
            Pair(self.study, Cell.parse(cell), method, self.tune)
            for cell, methods in tuned_cells(parent).items()
            for method in methods
        ]
        original = paths.journal(parent.name)
        self.path = copied_to / original.name if copied_to else original
        self.folder = copied_to or paths.tuning_locks(parent.name)
        for folder in (self.path.parent, self.folder):
            folder.mkdir(parents=True, exist_ok=True)
        if copied_to and original.is_file():
            shutil.copyfile(original, self.path)
        lock = FileLock(self.folder / "journal.lock", poll_interval=POLL_SECONDS)
        with lock:  # else a half-written line may be one that another process is writing
            _cut_half_line(self.path)
        backend = JournalFileBackend(str(self.path), lock_obj=lock)  # type: ignore[arg-type]
        try:
            self.storage = optuna.storages.JournalStorage(backend)
        except (ValueError, KeyError) as error:
            raise BadInput(f"{self.path}: is damaged ({error}): move it away to start anew") from None
        self.choice = FileLock(self.folder / "choice.lock", poll_interval=POLL_SECONDS)
        self._optuna: dict[str, optuna.Study] = {}

    def check_ends(self) -> None:
        """Raise `BadInput` if the ends of a pair's ranges do not go together: the search would end where it meets them.

        An example is a learning rate below the study's ``final_lr``. Or so many settings are searched that the name of
        a candidate is too long.
        """
        for pair in self.pairs:
            ends = [[limits.inside(limits.low), limits.inside(limits.high)] for limits in pair.ranges.values()]
            for values in (*itertools.product(*ends), [limits.long for limits in pair.ranges.values()]):
                try:
                    pair.run(dict(zip(pair.ranges, values, strict=True)))
                except BadInput as error:
                    where = f"{self.parent.file}: tune.ranges.{pair.method}: the search in {pair.cell} would reach"
                    raise BadInput(f"{where} {error}") from None

    def check_images(self) -> None:
        """Raise `BadInput` if candidates were trained on other images than are on disk; earlier versions do not say."""
        for pair in self.pairs:
            now = store.content_digest_if_known(self.study.dataset_folder(pair.cell.dataset))
            for trial in self.ended(pair):
                if now and (then := trial.user_attrs["stamp"].get("data", now)) != now:
                    trained = f"candidates were trained on other images ({then}) than there are now ({now})"
                    advice = "move the file away to start anew, or call these images something else"
                    raise BadInput(f"{self.path}: {pair.cell}/{pair.method}: {trained}: {advice}")

    def clean(self) -> None:
        """Mark as failed the candidates that a killed tuning left half done; no other process may be tuning.

        A failed candidate does not count towards the budget, and the same one is tried again.
        """
        for pair in self.pairs:
            for trial in self._candidates(pair, TrialState.RUNNING):
                self._open(pair).tell(trial.number, state=TrialState.FAIL)

    def ended(self, pair: Pair) -> list[FrozenTrial]:
        """Return the pair's candidates that count, in the order in which they were tried.

        Earlier versions gave some up half-way. These have used their budget, too.
        """
        return self._candidates(pair, TrialState.COMPLETE, TrialState.PRUNED)

    def tried(self) -> int:
        """Return how many candidates count towards the budgets."""
        return sum(len(self.ended(pair)) for pair in self.pairs)

    def under_way(self) -> int:
        """Return how many candidates are in training, or were when the search was killed."""
        return sum(len(self._candidates(pair, TrialState.RUNNING)) for pair in self.pairs)

    def remaining(self) -> int:
        """Return how many candidates are still to be tried."""
        return sum(map(self._left, self.pairs))

    def seconds_left(self, jobs: int) -> float | None:
        """Return how long the candidates that are left take, ``jobs`` at a time; None before any has ended.

        Each takes as long as its pair's candidates took on average, or, before any of these has ended, as all did.
        """
        taken = {
            pair: [trial.duration.total_seconds() for trial in self.ended(pair) if trial.duration]
            for pair in self.pairs
        }
        every = [seconds for pair in self.pairs for seconds in taken[pair]]
        if not every:
            return None
        by_pair = [self._left(pair) * mean(taken[pair] or every) for pair in self.pairs]
        return max(sum(by_pair) / jobs, *by_pair)  # those of a pair run one after another

    def pairs_left(self) -> int:
        """Return how many pairs have candidates that are still to be tried: so many can run at once."""
        return sum(self._left(pair) > 0 for pair in self.pairs)

    def cells_left(self) -> list[Cell]:
        """Return the cells in which candidates are still to be tried: only these need their Original and Retrain."""
        return list(dict.fromkeys(pair.cell for pair in self.pairs if self._left(pair)))

    def next(self) -> tuple[Pair, optuna.Trial] | None:
        """Take the next candidate, of the pair that is furthest behind; return None if no pair is free."""
        with self.choice:
            counts = {pair: len(self.ended(pair)) for pair in self.pairs}
            for pair in sorted(self.pairs, key=counts.__getitem__):
                if counts[pair] < self.tune.budget and not self._candidates(pair, TrialState.RUNNING):
                    return pair, self._ask(pair)
        return None

    def best(self, pair: Pair) -> FrozenTrial | None:
        """Return the pair's best candidate that ran to the end, or None."""
        complete = [trial for trial in self.ended(pair) if trial.state == TrialState.COMPLETE]
        return min(complete, key=lambda trial: (trial.value, trial.number), default=None)

    def values(self, trial: FrozenTrial | optuna.Trial) -> dict[str, Any]:
        """Return the values of a candidate's settings."""
        return dict(trial.user_attrs["values"])

    def _ask(self, pair: Pair) -> optuna.Trial:
        """Suggest the next candidate: a planned one that has not been tried, else a random one or the sampler's."""
        study = self._open(pair)
        tried = [self.values(trial) for trial in self.ended(pair)]
        planned = next((values for values in pair.planned if values not in tried), None)
        if planned and not self._candidates(pair, TrialState.WAITING):
            study.enqueue_trial({name: pair.ranges[name].as_parameter(value) for name, value in planned.items()})
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM,
            multivariate=True,
            seed=int(digest([self.tune.seed, pair.name, len(tried)])[:8], 16),
        )
        trial = study.ask()
        values = {name: limits.suggested(trial, name) for name, limits in pair.ranges.items()}
        trial.set_user_attr("values", values)
        return trial

    def _left(self, pair: Pair) -> int:
        return max(0, self.tune.budget - len(self.ended(pair)))

    def _candidates(self, pair: Pair, *states: TrialState) -> list[FrozenTrial]:
        return self._open(pair).get_trials(deepcopy=False, states=states) if self._exists(pair) else []

    def _exists(self, pair: Pair) -> bool:
        return pair.name in self._optuna or pair.name in optuna.get_all_study_names(self.storage)

    def _open(self, pair: Pair) -> optuna.Study:
        if pair.name not in self._optuna:
            # Creating an existing study would load it too, but add a line to a journal that is only being read.
            make = optuna.load_study if self._exists(pair) else partial(optuna.create_study, load_if_exists=True)
            self._optuna[pair.name] = make(storage=self.storage, study_name=pair.name)
        return self._optuna[pair.name]


def _cut_half_line(path: Path) -> None:
    """Cut off a last line that a crash of the machine left half written."""
    if path.is_file() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
