"""What ``python -m benchmark tune STUDY`` does: references first, then candidates, in processes of one job each.

It may be killed at any moment: candidates that have ended are in the journal, and the next call continues from there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from optuna.trial import TrialState

from benchmark import paths
from benchmark.data import store
from benchmark.errors import BadInput, StaleOutput, some_of
from benchmark.files import locked, make_writable
from benchmark.names import DIVERGED, Cell
from benchmark.results import records
from benchmark.study.plugins import stamp_with
from benchmark.study.prepare import prepare, split
from benchmark.study.runs import Run, belongs
from benchmark.study.study import Study
from benchmark.tune import tuned_file
from benchmark.tune.journal import Journal
from benchmark.workflow.resources import THREADS
from benchmark.workflow.status import State, counted, failed_datasets, in_words, is_healthy, state_of, until_done

WAIT_SECONDS = 0.5


def tune(name: str, jobs: int, replace: bool = False) -> Path:
    """Search until every method has used its budget in every cell; return the file of the tuned values.

    ``jobs`` processes run at once, each on the study's ``threads``. `BadInput` if one fails, with the name of its log,
    or if the file has values of another search and is not to be replaced.
    """
    journal = Journal(Study.load(name, tuned=False))
    tuned_file.check(journal, replace)
    make_writable(paths.tuned(name).parent)  # before the hours of training, not after them
    with locked(journal.folder / "tune.lock"):
        if journal.remaining():
            journal.check_ends()
        journal.clean()
        journal.check_images()
        if remaining := journal.remaining():
            _references(journal.study, journal.cells_left(), jobs)
            journal.check_images()  # again, since these may have prepared them
            jobs = min(jobs, journal.pairs_left())  # further workers would wait, and hold a GPU meanwhile
            print(f"{remaining} candidates left, {jobs} at a time", flush=True)
            options = ["--jobs", str(jobs), "--worker", str(os.getpid())]
            worker = [sys.executable, "-m", "benchmark", "tune", name, *options]
            _run_all([(worker, None)] * jobs, jobs, journal.study.threads)
        else:
            print("nothing left to try: with a larger tune.budget the search goes on", flush=True)
        return tuned_file.write(journal)  # of the study as it was when the search began


def report(name: str, replace: bool = False) -> Path:
    """Write the values found so far, without a search; return the file."""
    study = Study.load(name, tuned=False)
    if not paths.journal(name).is_file():  # to open it would write one
        raise BadInput(
            f"{paths.journal(name)}: no such file: accepted is the journal of a search, which 'tune {name}' begins"
        )
    journal = Journal(study)
    journal.check_images()
    tuned_file.check(journal, replace)
    return tuned_file.write(journal)


def status(name: str) -> tuple[str, bool]:
    """Return how far a study's search is, as text, and whether it can go on: no reference failed, or diverged."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Study.load(name, tuned=False), Path(folder))
        left = journal.remaining()
        lines = [f"search of {name}: {journal.tried()} candidates tried, {left} left"]
        if not left:
            return lines[0], True
        states = [_reference_state(journal, run) for run in _references_of(journal.study, journal.cells_left())]
        faults, at_once = failed_datasets(journal.study), max(1, journal.under_way())
        lines += [*faults, f"{len(states)} references, which candidates need", *in_words(states)]
        lines.append(until_done(journal.seconds_left(at_once), at_once, "candidate"))
    return "\n".join(lines), is_healthy(states) and not faults and "diverged" not in counted(states)


def work(name: str, jobs: int, parent: int) -> None:
    """Try candidates, as one of ``jobs`` processes, until none remain or the process that started them has ended."""
    from benchmark.training.device import Device, explained
    from benchmark.training.loop import Interrupted
    from benchmark.tune.candidate import Candidate

    journal = Journal(Study.load(name, tuned=False))
    stamp_with(*journal.study.plugins)  # now, since the code on disk may have changed by the time of a candidate
    # Taken before a candidate: a process that waits for a GPU with a candidate in hand would keep it from the others.
    Device.choose(journal.study.precision, journal.study.threads)
    while journal.remaining() and os.getppid() == parent:
        next_candidate = journal.next()
        if next_candidate is None:  # other workers are at the remaining pairs
            time.sleep(WAIT_SECONDS)
            continue
        pair, trial = next_candidate
        try:
            run = pair.run(journal.values(trial))
            with explained(f"candidate {run.name}", run.settings.batch_size):
                candidate = Candidate(journal.study, run, pair.reference, trial, parent)
                value = candidate.attempt(journal.tune.utility)
        except BaseException:  # else other workers would wait for it
            trial.study.tell(trial.number, state=TrialState.FAIL)
            raise
        result = trial.study.tell(trial.number, value)
        candidate.checkpoint.remove()
        with journal.choice:
            print(tuned_file.line(journal, pair, result, jobs), flush=True)
        if candidate.stopped:
            raise Interrupted("stopped after a candidate had ended")
        del candidate  # a GPU may have no room for its images beside those of the next one


def _references(study: Study, cells: Sequence[Cell], jobs: int) -> None:
    """Train the cells' Originals and Retrains, unless they are finished; `BadInput` if one diverged."""
    references = _references_of(study, cells)
    for dataset in dict.fromkeys(run.name.dataset for run in references):
        try:
            store.record(study.dataset_folder(dataset))
        except StaleOutput:
            prepare(study, dataset)
    for run in references:
        if not run.name.is_original:
            try:
                records.forget_rows(study, run)
            except StaleOutput:
                split(study, run.name.dataset, run.name.scenario, run.split_trial)
    missing = [run for run in references if not records.finished(study, run) or _lacks_weights(run)]
    commands = []
    for run in missing:
        print(f"reference: {run.name}", flush=True)
        options = ["--weights"] if run.name.is_original else []
        command = [sys.executable, "-m", "benchmark", "run", study.name, str(run.name), *options]
        commands.append((command, paths.log(run.pool_path)))
    _run_all(commands, jobs, study.threads)
    for run in references:
        if records.finished(study, run) == DIVERGED:
            accepted = "accepted are hyperparameters for 'training' with which it ends in numbers"
            raise BadInput(f"reference {run.name} of {study.name} diverged, so that nothing can be tuned: {accepted}")


def _references_of(study: Study, cells: Sequence[Cell]) -> list[Run]:
    return [run for run in study.runs() if not run.original and any(belongs(run.name, cell) for cell in cells)]


def _reference_state(journal: Journal, run: Run) -> State:
    """Return the state of a reference; one without the weights that candidates start from is trained again."""
    state = state_of(journal.study, run)
    return State(run, "left") if state.state == "done" and _lacks_weights(run) else state


def _lacks_weights(run: Run) -> bool:
    """Return whether a run is an Original without weights, as in a checkout: candidates start from them."""
    return run.name.is_original and not (paths.run(run.pool_path) / paths.MODEL).is_file()


def _run_all(commands: Sequence[tuple[list[str], Path | None]], jobs: int, threads: int) -> None:
    """Run commands, ``jobs`` at a time; if one fails, the others go on to their ends, and then `BadInput` is raised.

    Each comes with the file for its output, or None for this process's own output. All are ended if this process is
    asked to end, or if a signal ends one of them: workers would wait for its candidate.
    """
    environment = os.environ | {name: str(threads) for name in THREADS}
    waiting = list(commands)
    running: dict[subprocess.Popen[bytes], str] = {}
    failed: list[str] = []
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started, as Ctrl-C does
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                command, log = waiting.pop(0)
                if log:
                    log.parent.mkdir(parents=True, exist_ok=True)
                with log.open("wb") if log else nullcontext() as output:
                    process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
                running[process] = " ".join(command[1:]) + (f" (log: {log})" if log else "")
            for process in [process for process in running if process.poll() is not None]:
                description = running.pop(process)
                if process.returncode:
                    failed.append(description)
                    print(f"{description} failed" + "; the others go on" * bool(running), flush=True)
                if process.returncode < 0:
                    raise BadInput(f"{description} was killed; run the same command to continue the tuning")
            time.sleep(WAIT_SECONDS / 10)
        if failed:
            raise BadInput(f"{some_of(failed, 1)} failed; run the same command to continue the tuning")
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
        signal.signal(signal.SIGTERM, handler)
