"""A campaign of faults against the workflow. Not a part of the quick tests::

    python -m tests.faults.campaign --faults 200 --seed 0

Each fault hits a copy of a finished study of which a part is to be made again: a process is killed or stopped at a
random moment, the disk or the memory is full, a file is cut off, has a bit flipped, is emptied, replaced or lost, or
the same run or the whole workflow is started twice. Then the workflow is run, at most twice (after a kill of Snakemake
itself, with ``--unlock`` first, as the README says; where a gathered file was hit, which nothing reads, ``verify``
first). It must end well with the metrics of the study that met no fault. Counted are

- losses: two runs did not end well, or a finished run was done again that neither the fault took nor starts from an
  Original that it took;
- wrong results accepted: the workflow ended well and a metric, table or map differs.

A fault depends on the seed and its number alone: ``--only N`` repeats one, and ``--first N`` goes on with a campaign
that ended before its last. 200 faults take about an hour on two cores.
"""

from __future__ import annotations

import argparse
import base64
import collections
import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil

from tests.faults.study import CELL, NAME, ROOT, build

RUNS = Path("results", NAME, "runs")
ORIGINAL = "digits/convnet/original/trial-0"
RETRAIN, COUN, SLOWLY = (f"{CELL}/{method}/trial-0" for method in ("retrain", "coun", "slowly"))
MAP = Path("results", NAME, "maps", f"{RETRAIN}.parquet")
SPLIT = Path("results", NAME, "splits", "digits", "class-8", "trial-0.parquet")
CHECKPOINT = Path("results", NAME, "work", SLOWLY, "checkpoint.pt")
FRAMES = ("metrics", "history", "predictions", "embeddings", "distances", "views")
COLLECTED = [Path("results", f"{NAME}-{what}.parquet") for what in FRAMES]
TABLES = Path("paper_tables", NAME)
FIGURES = Path("figures", NAME)
# What may differ between two runs of the same study.
CLOCKS = ["seconds", "cpu_seconds", "wall_seconds", "peak_memory_mb", "commit"]
TARGETS = ("table2", "table5", "figure1", "collect")  # all but the page, which only shows these again
PATIENCE = 600  # seconds for one run of the workflow, which takes half a minute on a quiet machine
LITTLE_PATIENCE = 180  # seconds before one that may hang for want of memory is killed, as its user would


@dataclass
class Trial:
    """One fault: the folder that it hits, what it was, and what came of it."""

    root: Path
    chance: random.Random
    kind: str = ""
    what: str = ""
    victims: set[str] = field(default_factory=set)  # runs that the fault may cost
    verify: bool = False
    calls: int = 0
    problem: str = ""
    wrong: str = ""
    tracebacks: int = 0
    sessions: list[int] = field(default_factory=list)

    def remove(self, *targets: Path) -> None:
        """Delete files or folders, so that the workflow has them to make again."""
        for target in targets:
            path = self.root / target
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def undo(self, *runs: str, remove: tuple[str, ...] | None = None) -> None:
        """Take back runs, or those of them in ``remove``, and all that is shown."""
        self.victims |= set(runs)
        if ORIGINAL in runs:  # all start from it, and so does Retrain's place in the table
            self.victims |= {COUN, SLOWLY}
        self.remove(*(RUNS / run for run in (runs if remove is None else remove)), TABLES, *COLLECTED)

    def start(self, module: str, *arguments: str, limit: tuple[int, int] | None = None) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own, under a resource limit if one is given."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.root / "told.txt").open("ab") if limit is None else subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: _as_from_a_terminal(limit),
        )
        self.sessions.append(process.pid)
        return process

    def workflow(self, *options: str, limit: tuple[int, int] | None = None) -> subprocess.Popen[bytes]:
        """Start the workflow."""
        return self.start("snakemake", "--cores", "1", *TARGETS, *options, "--config", f"study={NAME}", limit=limit)

    def end(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for a command; one that hangs is killed, which counts as a loss."""
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.clear()
            process.wait()
            raise RuntimeError(f"a command had not ended after {PATIENCE} s: {process.args!r}") from None

    def clear(self) -> None:
        """Kill what this trial started and is still there."""
        for session in self.sessions:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(session, signal.SIGKILL)


def _as_from_a_terminal(limit: tuple[int, int] | None) -> None:
    """Undo in a child what a shell does to commands in the background: they ignore SIGINT. Then limit a resource."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if limit:
        resource.setrlimit(limit[0], (limit[1], limit[1]))


# --- faults ----------------------------------------------------------------------------------------------------------


def _jobs(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The jobs that a workflow has under way."""
    with contextlib.suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
        return [job for job in below if "benchmark" in " ".join(job.cmdline()) and "python" in job.name()]
    return []


def _signalled(trial: Trial, number: signal.Signals, whom: str) -> None:
    trial.undo(*trial.chance.choice([(SLOWLY,), (COUN, SLOWLY), (ORIGINAL, SLOWLY)]))
    process = trial.workflow()
    after = trial.chance.uniform(0.3, 8.0)
    until = time.monotonic() + after
    while time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    trial.what = f"{number.name} to {whom} after {after:.2f} s"
    if whom == "a job":
        while process.poll() is None and not (jobs := _jobs(process)):
            time.sleep(0.01)
        for job in jobs[:1] if process.poll() is None else []:
            with contextlib.suppress(psutil.Error):
                job.send_signal(number)
        trial.end(process)
    elif whom == "snakemake alone":
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()  # its job goes on, and meets the workflow's next run
        else:
            trial.end(process)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        trial.end(process)


def kill_job(trial: Trial) -> None:
    """kill -9 of a job."""
    _signalled(trial, signal.SIGKILL, "a job")


def stop_job(trial: Trial) -> None:
    """SIGTERM to a job."""
    _signalled(trial, signal.SIGTERM, "a job")


def kill_snakemake(trial: Trial) -> None:
    """kill -9 of Snakemake, whose jobs go on."""
    _signalled(trial, signal.SIGKILL, "snakemake alone")


def kill_everything(trial: Trial) -> None:
    """kill -9 of Snakemake and its jobs at once, as a loss of power would."""
    _signalled(trial, signal.SIGKILL, "everything")


def stop_snakemake(trial: Trial) -> None:
    """SIGTERM or SIGINT to Snakemake."""
    _signalled(trial, trial.chance.choice([signal.SIGTERM, signal.SIGINT]), "snakemake alone")


def disk_full(trial: Trial) -> None:
    """No file can grow beyond a limit."""
    trial.undo(*trial.chance.choice([(SLOWLY,), (COUN,), (ORIGINAL, COUN), (RETRAIN,)]))
    if trial.chance.random() < 0.3:
        trial.remove(MAP, SPLIT)
        trial.victims |= {COUN, SLOWLY, RETRAIN}
    size = int(10 ** trial.chance.uniform(3.0, 6.0))
    trial.what = f"no file beyond {size} bytes"
    trial.end(trial.workflow(limit=(resource.RLIMIT_FSIZE, size)))


def memory_full(trial: Trial) -> None:
    """No process can have more memory than a limit."""
    trial.undo(COUN)
    size = int(trial.chance.uniform(0.6, 2.6) * 2**30)
    trial.what = f"no process beyond {size >> 20} MiB"
    process = trial.workflow(limit=(resource.RLIMIT_AS, size))
    try:
        process.wait(LITTLE_PATIENCE)
    except subprocess.TimeoutExpired:  # a library that asks for memory again and again for ever
        trial.what += ": it hung, and was killed"
        trial.clear()
        trial.end(process)


def _damage(trial: Trial, target: Path, hows: tuple[str, ...] = ("flip", "cut", "empty", "noise", "lost")) -> None:
    path, how = trial.root / target, trial.chance.choice(hows)
    content = bytearray(path.read_bytes())
    at = trial.chance.randrange(len(content))
    if how == "flip":
        bit = trial.chance.randrange(8)
        content[at] ^= 1 << bit
        how = f"bit {bit} of byte {at} flipped"
    elif how == "cut":
        content = content[:at]
        how = f"cut to {at} bytes"
    elif how == "empty":
        content = bytearray()
    elif how == "noise":
        length = min(64, len(content) - at)
        content[at : at + length] = trial.chance.randbytes(length)
        how = f"{length} bytes of noise at {at}"
    before = path.stat()
    path.unlink()
    if how != "lost":
        path.write_bytes(content)
        if trial.chance.random() < 0.5:  # as bits rot: the file's age does not tell
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    trial.what = f"{target}: {how}"


def damaged_arrays(trial: Trial) -> None:
    """A stored array, or what describes them."""
    trial.undo(COUN)
    names = sorted(path.relative_to(trial.root) for path in (trial.root / "data").glob("*/*.*"))
    _damage(trial, trial.chance.choice(names), ("flip", "flip", "cut", "empty", "noise"))


def damaged_split(trial: Trial) -> None:
    """A forget split."""
    trial.undo(trial.chance.choice([COUN, RETRAIN]))
    _damage(trial, SPLIT)
    if not (trial.root / SPLIT).exists():
        trial.victims |= {COUN, SLOWLY, RETRAIN}


def damaged_record(trial: Trial) -> None:
    """The run.json of a run that a table or another run reads."""
    run = trial.chance.choice([ORIGINAL, COUN, SLOWLY, RETRAIN])
    trial.undo()
    trial.victims |= {run}
    if run == ORIGINAL:
        trial.undo(COUN, ORIGINAL, remove=(COUN,))
    _damage(trial, RUNS / run / "run.json")


def damaged_results(trial: Trial) -> None:
    """The samples or the history of a run that a table reads."""
    run = trial.chance.choice([COUN, SLOWLY, RETRAIN, ORIGINAL])
    trial.undo()
    trial.victims |= {run, COUN, SLOWLY} if run == ORIGINAL else {run}
    _damage(trial, RUNS / run / trial.chance.choice(["samples.parquet", "history.parquet"]))


def damaged_weights(trial: Trial) -> None:
    """The weights of Original, or of what is mapped."""
    run = trial.chance.choice([ORIGINAL, RETRAIN])
    if run == ORIGINAL:
        trial.undo(COUN, ORIGINAL, remove=(COUN,))
    else:
        trial.remove(MAP, FIGURES)
    trial.victims |= {run}
    _damage(trial, RUNS / run / "model.safetensors")


def damaged_map(trial: Trial) -> None:
    """A map that a figure shows."""
    trial.remove(FIGURES, *COLLECTED)
    _damage(trial, MAP)


def damaged_gathered(trial: Trial) -> None:
    """A gathered file, which nothing reads but people."""
    trial.verify = True
    _damage(trial, trial.chance.choice(COLLECTED))


def damaged_checkpoint(trial: Trial) -> None:
    """The checkpoint of a run that was stopped."""
    _stopped(trial)
    _damage(trial, CHECKPOINT)


def another_checkpoint(trial: Trial) -> None:
    """The checkpoint of another configuration."""
    trial.undo(SLOWLY)
    study = trial.root / "config" / f"{NAME}.yaml"
    text = study.read_text(encoding="utf-8")
    lr = trial.chance.choice([0.04, 0.06, 0.07])
    study.write_text(text.replace("lr: 0.05", f"lr: {lr}"), encoding="utf-8")
    _stop_at_work(trial)
    study.write_text(text, encoding="utf-8")
    trial.what = f"a checkpoint of lr {lr}"


def _stopped(trial: Trial) -> None:
    trial.undo(SLOWLY)
    _stop_at_work(trial)


def _stop_at_work(trial: Trial) -> None:
    """Do a run by hand and stop it once it has saved."""
    process = trial.start("benchmark", "run", NAME, SLOWLY)
    while process.poll() is None and not (trial.root / CHECKPOINT).is_file():
        time.sleep(0.01)
    process.send_signal(trial.chance.choice([signal.SIGTERM, signal.SIGKILL, signal.SIGINT]))
    trial.end(process)
    if not (trial.root / CHECKPOINT).is_file():
        raise RuntimeError("the run ended before it could be stopped")


def one_run_twice(trial: Trial) -> None:
    """The same run, by hand and by the workflow, at the same time; one of them may be killed."""
    trial.undo(SLOWLY)
    by_hand = trial.start("benchmark", "run", NAME, SLOWLY)
    process = trial.workflow()
    time.sleep(trial.chance.uniform(0.5, 6.0))
    killed = trial.chance.choice([None, by_hand, process])
    if killed:
        killed.kill()
    trial.what = "both end" if killed is None else "by hand killed" if killed is by_hand else "workflow killed"
    trial.end(by_hand)
    trial.end(process)


def workflow_twice(trial: Trial) -> None:
    """The whole workflow twice at the same time, in spite of Snakemake's lock; one of them may be killed."""
    trial.undo(*trial.chance.choice([(COUN, SLOWLY), (ORIGINAL, SLOWLY), (RETRAIN, COUN)]))
    first, second = trial.workflow("--nolock"), trial.workflow("--nolock")
    killed = trial.chance.choice([None, first, second])
    trial.what = "both end"
    if killed:
        time.sleep(after := trial.chance.uniform(1.0, 8.0))
        killed.kill()
        trial.what = f"one killed after {after:.2f} s"
    trial.end(first)
    trial.end(second)


FAULTS: list[Callable[[Trial], None]] = [
    kill_job,
    damaged_results,
    kill_snakemake,
    damaged_arrays,
    stop_job,
    damaged_checkpoint,
    kill_everything,
    damaged_record,
    disk_full,
    damaged_split,
    stop_snakemake,
    damaged_weights,
    one_run_twice,
    workflow_twice,
    another_checkpoint,
    damaged_map,
    memory_full,
    damaged_gathered,
]


# --- what comes after ------------------------------------------------------------------------------------------------


def _outcome(root: Path) -> dict[str, pd.DataFrame]:
    """All numbers that a finished study shows, without clocks."""
    shown = {str(path): pd.read_parquet(root / path) for path in COLLECTED}
    shown |= {path.name: pd.read_csv(path) for path in sorted((root / TABLES).glob("*.csv"))}
    return {name: frame.drop(columns=CLOCKS, errors="ignore") for name, frame in shown.items()}


def _differs(root: Path, expected: dict[str, pd.DataFrame]) -> str:
    try:
        found = _outcome(root)
    except Exception as error:
        return f"cannot be read: {error}"
    if found.keys() != expected.keys():
        return f"there are {sorted(found)}, not {sorted(expected)}"
    return ", ".join(name for name in expected if not found[name].equals(expected[name]))


def _records(root: Path) -> dict[str, bytes]:
    """What the records of finished runs say; a run that Snakemake holds for unfinished is none."""
    unfinished = {
        base64.b64decode(path.name, b"-_").decode(errors="replace")
        for path in (root / ".snakemake" / "incomplete").glob("*")
    }
    found = {}
    for run in (ORIGINAL, RETRAIN, COUN, SLOWLY):
        path = root / RUNS / run / "run.json"
        if path.is_file() and str(RUNS / run / "run.json") not in unfinished:
            found[run] = path.read_bytes()
    return found


def endure(
    number: int, seed: int, whole: Path, expected: dict[str, pd.DataFrame], fault: Callable[[Trial], None]
) -> Trial:
    """Inject one fault into a copy of a finished study, let the workflow recover, and say what came of it."""
    with tempfile.TemporaryDirectory(prefix="fault-", dir=whole.parent, ignore_cleanup_errors=True) as folder:
        trial = Trial(Path(folder) / "study", random.Random(f"{seed} {number}"), fault.__name__.replace("_", " "))
        shutil.copytree(whole, trial.root)
        before = _records(trial.root)
        try:
            fault(trial)
            _recover(trial, expected, before)
        except Exception as error:
            trial.problem = f"{type(error).__name__}: {error}"
        finally:
            trial.clear()
            logs = (trial.root / "results" / NAME / "logs").rglob("*.log")
            trial.tracebacks = sum("Traceback" in log.read_text(errors="replace") for log in logs)
    return trial


def _recover(trial: Trial, expected: dict[str, pd.DataFrame], before: dict[str, bytes]) -> None:
    if any((trial.root / ".snakemake" / "locks").glob("*")):
        trial.end(trial.start("snakemake", "--unlock", "--config", f"study={NAME}"))
    if trial.verify:
        trial.end(trial.start("benchmark", "verify", NAME))
    status = 1
    while status and trial.calls < 2:
        trial.calls += 1
        status = trial.end(trial.workflow())
        if not status and (differs := _differs(trial.root, expected)):
            trial.wrong = f"run {trial.calls} ended well with another {differs}"
            return
    if status:
        told = (trial.root / "told.txt").read_text(errors="replace").strip()
        trial.problem = f"two further runs did not end well: ... {told[-1500:]}"
        return
    after = _records(trial.root)
    again = [run for run, record in before.items() if run not in trial.victims and after.get(run) != record]
    if again:
        trial.problem = f"done again without need: {', '.join(again)}"


def campaign(numbers: Sequence[int], seed: int, jobs: int = 2, minutes: float = float("inf")) -> list[Trial]:
    """Inject the faults of these numbers, whose kinds take turns, and return their trials."""
    until = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory(prefix="campaign-", ignore_cleanup_errors=True) as folder:
        whole = Path(folder) / "whole"
        whole.mkdir()
        build(whole)
        start = Trial(whole, random.Random(0))
        if start.end(start.workflow()):
            raise SystemExit((whole / "told.txt").read_text())
        expected = _outcome(whole)

        def one(number: int) -> Trial | None:
            if time.monotonic() > until:
                return None
            return endure(number, seed, whole, expected, FAULTS[number % len(FAULTS)])

        done = []
        with ThreadPoolExecutor(jobs) as pool:
            waiting = {pool.submit(one, number): number for number in numbers}
            for future in as_completed(waiting):
                if (trial := future.result()) is None:
                    continue
                done.append(trial)
                verdict = trial.wrong or trial.problem or f"recovered by {trial.calls} run(s)"
                print(f"{waiting[future]:4d} {trial.kind}: {trial.what}: {verdict}", flush=True)
    return done


def summary(trials: list[Trial]) -> str:
    """Return the totals as text."""
    kinds = collections.Counter(trial.kind for trial in trials)
    lines = [f"{count:5d} {kind}" for kind, count in sorted(kinds.items())]
    well = [trial for trial in trials if not trial.problem and not trial.wrong]
    runs = collections.Counter(trial.calls for trial in well)
    return "\n".join(
        [
            *lines,
            f"faults: {len(trials)}",
            f"recoveries: {len(well)} ({', '.join(f'{runs[n]} by {n} further run(s)' for n in sorted(runs))})",
            f"losses: {sum(bool(trial.problem) for trial in trials)}",
            f"wrong results accepted: {sum(bool(trial.wrong) for trial in trials)}",
            f"tracebacks left in a log: {sum(trial.tracebacks for trial in trials)}",
        ]
    )


def main() -> None:
    """Run the campaign from the command line; exit status 1 where anything was lost or wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--faults", type=int, default=200, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="decides what each fault is")
    parser.add_argument("--jobs", type=int, default=2, help="how many are endured at once")
    parser.add_argument("--first", type=int, default=0, help="the number of the first, to go on from")
    parser.add_argument("--only", type=int, help="the number of one fault to repeat")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no fault after so long")
    asked = parser.parse_args()
    numbers = range(asked.first, asked.faults) if asked.only is None else [asked.only]
    trials = campaign(numbers, asked.seed, asked.jobs, asked.minutes)
    print(summary(trials))
    sys.exit(any(trial.problem or trial.wrong for trial in trials))


if __name__ == "__main__":
    main()
