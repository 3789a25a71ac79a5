"""The faults, each of which hits a finished study, of which it may first take a part away that is to be made again."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from tests.faults.study import CELL, NAME, ROOT

METHODS = ("original", "retrain", "coun", "slowly")
PATIENCE = 600  # seconds for one command, which takes half a minute on a quiet machine
LITTLE_PATIENCE = 180  # seconds before one that may hang for want of memory is killed, as its user would

# The files of a finished study by kind.
KINDS = {
    "record": "results/runs/**/run.json",
    "samples": "results/runs/**/samples.parquet",
    "history": "results/runs/**/history.parquet",
    "weights": "results/runs/**/model.safetensors",
    "split": "results/splits/**/*.parquet",
    "map": "results/maps/**/*.parquet",
    "dataset": "data/*/*",
    "receipt": "results/drawn/*/*.json",
    "gathered": f"results/{NAME}-*.parquet",
    "table": f"paper_tables/{NAME}/*",
    "figure": f"figures/{NAME}/*",
}
MAP, GATHERED, SHOWN = KINDS["map"], KINDS["gathered"], f"paper_tables/{NAME}/table*"


@dataclass
class Trial:
    """One fault: the folder that it hits, what it was, and what came of it."""

    root: Path
    chance: random.Random
    kind: str = ""
    pace: float = 5.0  # seconds of a workflow that has nothing to do
    what: str = ""
    costs: set[str] = field(default_factory=set)  # methods whose runs the fault may cost
    hit: set[str] = field(default_factory=set)  # files that are not what was written
    idle: bool = False  # whether nothing is to be made again
    calls: int = 0
    verified: bool = False
    problem: str = ""
    wrong: str = ""
    tracebacks: int = 0
    sessions: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        runs = self.root / "results" / "runs"
        folders = {method: runs / (CELL if method != "original" else "digits/convnet") / method for method in METHODS}
        self.runs = {
            method: str(path.relative_to(self.root))
            for method, folder in folders.items()
            for path in folder.glob("trial-0-????????")
        }

    def files(self, pattern: str) -> list[str]:
        """The files or folders of a pattern, relative to the root."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))

    def owner(self, file: str) -> str:
        """The method of the run that a file belongs to, or nothing."""
        return next((method for method, folder in self.runs.items() if file.startswith(folder)), "")

    def remove(self, *patterns: str) -> None:
        """Delete files and folders, so that the workflow has them to make again."""
        for file in [file for pattern in patterns for file in self.files(pattern)]:
            for method, folder in self.runs.items():
                if folder.startswith(file) or (file.startswith(folder) and not file.endswith(".safetensors")):
                    self.costs.add(method)
            path = self.root / file
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def undo(self, *choices: tuple[str, ...]) -> None:
        """Delete the runs of some methods, one of several choices; what shows them stays in place."""
        self.remove(*(self.runs[method] for method in self.chance.choice(choices)))

    def start(self, module: str, *arguments: str, limit: tuple[int, int] | None = None) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own, under a resource limit if one is given."""
        with (self.root.parent / "output.txt").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=self.root,
                env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "BENCHMARK_DEVICE": "cpu"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output if limit is None else subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=lambda: _as_from_a_terminal(limit),
            )
        self.sessions.append(process.pid)
        return process

    def workflow(self, *options: str, limit: tuple[int, int] | None = None) -> subprocess.Popen[bytes]:
        """Start the workflow."""
        return self.start("snakemake", "--cores", "1", "all", *options, "--config", f"study={NAME}", limit=limit)

    def end(self, process: subprocess.Popen[bytes], patience: float = PATIENCE) -> int:
        """Wait for a command and return its status; one that hangs is killed, and `TimeoutExpired` raised."""
        try:
            return process.wait(patience)
        finally:
            if process.poll() is None:
                self.clear()
                process.wait()

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


# --- files -----------------------------------------------------------------------------------------------------------


def _leave_to_be_read(trial: Trial, file: str) -> None:
    """Delete something that is made from a file, so that the workflow reads the file; or nothing, for `verify`."""
    kind = next((kind for kind, pattern in KINDS.items() if file in trial.files(pattern)), "")
    readers = {"map": f"figures/{NAME}/figure1.png", "split": trial.runs["coun"], "dataset": trial.runs["coun"]}
    readers |= dict.fromkeys(("record", "samples", "history"), GATHERED)
    if kind == "weights" or (kind == "record" and trial.owner(file) == "original"):
        readers[kind] = MAP if trial.owner(file) == "retrain" else trial.runs["coun"]
    if kind in readers and trial.chance.random() < 0.6:
        trial.remove(readers[kind])
        trial.what += ", and is read"


def _hit(trial: Trial, file: str, content: bytes) -> None:
    """Give a file another content; its age may stay, as when bits rot."""
    path = trial.root / file
    before = path.stat()
    path.write_bytes(content)
    if trial.chance.random() < 0.5:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    trial.hit.add(file)
    trial.costs |= {trial.owner(file)}


def damage(trial: Trial, pattern: str) -> None:
    """Flip a bit of a file, cut it, empty it or write noise into it."""
    file = trial.chance.choice(trial.files(pattern))
    content = bytearray((trial.root / file).read_bytes())
    at, bit = trial.chance.randrange(len(content)), trial.chance.randrange(8)
    how = trial.chance.choice(("flip", "flip", "cut", "empty", "noise"))
    trial.what = f"{file}: {how} at byte {at} of {len(content)}"
    _leave_to_be_read(trial, file)
    if how == "flip":
        content[at] ^= 1 << bit
    elif how == "noise":
        content[at : at + 64] = trial.chance.randbytes(len(content[at : at + 64]))
    else:
        content = content[: at if how == "cut" else 0]
    _hit(trial, file, bytes(content))


def lose(trial: Trial, pattern: str) -> None:
    """Delete a file, or all of its kind."""
    files = trial.files(pattern)
    one = trial.chance.choice(files)
    trial.what = one if trial.chance.random() < 0.6 else f"all like {one}"
    if one in trial.files(KINDS["weights"]) + trial.files(KINDS["dataset"]):
        _leave_to_be_read(trial, one)
        trial.costs |= {trial.owner(one)}
    trial.remove(*([one] if trial.what.startswith(one) else files))


def lose_folders(trial: Trial) -> None:
    """Delete whole folders."""
    runs = [*trial.runs.values(), "results/runs/digits/convnet/class-8"]
    several = ["data", "paper_tables/tiny", "figures", "results/drawn", "results/splits", "results/maps", "results"]
    gone = trial.chance.sample([*runs, *several], trial.chance.choice([1, 1, 2, 3]))
    trial.what = ", ".join(gone)
    trial.remove(*gone)


def lose_notes(trial: Trial) -> None:
    """Delete what the workflow can do without."""
    folders = (".snakemake", "results/logs", "results/usage", "results/measured")
    gone = trial.chance.sample(folders, trial.chance.choice([1, 2, 4]))
    trial.what, trial.idle = ", ".join(gone), True
    trial.remove(*gone)


def lay_over(trial: Trial) -> None:
    """Copy the files of one run, or of one table, over another's."""
    pairs = [
        (f"{trial.runs[a]}/{name}", f"{trial.runs[b]}/{name}")
        for a, b, name in (
            ("retrain", "original", "model.safetensors"),
            ("coun", "slowly", "samples.parquet"),
            ("slowly", "coun", "history.parquet"),
            ("coun", "slowly", "*"),
            ("original", "retrain", "*"),
        )
    ]
    source, target = trial.chance.choice([*pairs, (f"paper_tables/{NAME}/table2.*", f"paper_tables/{NAME}/table5.*")])
    trial.what = f"{source} over {target}"
    _leave_to_be_read(trial, trial.files(target)[0])
    for file, over in zip(trial.files(source), trial.files(target), strict=False):
        _hit(trial, over, (trial.root / file).read_bytes())


def move(trial: Trial) -> None:
    """Rename the checkout, or copy it without its ages, or give all files any age."""
    trial.idle, trial.what = True, trial.chance.choice(["moved", "copied", "ages shuffled"])
    if trial.what == "ages shuffled":
        for path in trial.root.rglob("*"):
            os.utime(path, (age := trial.chance.randrange(2 * 10**9), age))
        return
    elsewhere = trial.root.with_name("elsewhere")
    if trial.what == "moved":
        trial.root.rename(elsewhere)
    else:
        shutil.copytree(trial.root, elsewhere, copy_function=shutil.copyfile)
    trial.root = elsewhere


def park(trial: Trial) -> None:
    """Take away or damage weights that lie where a job leaves them for the rule that moves them."""
    run = trial.runs["original"]
    parked = f"results/work/{run.removeprefix('results/runs/')}.safetensors"
    (trial.root / parked).parent.mkdir(parents=True, exist_ok=True)
    (trial.root / run / "model.safetensors").rename(trial.root / parked)
    trial.undo(("coun",))
    if trial.chance.random() < 0.7:
        trial.costs.add("original")
        trial.chance.choice([damage, Trial.remove])(trial, parked)
    trial.what = f"parked weights: {trial.what}"


# --- processes -------------------------------------------------------------------------------------------------------


def _jobs(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The jobs that a workflow has under way."""
    with contextlib.suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
        return [job for job in below if "benchmark" in " ".join(job.cmdline()) and "python" in job.name()]
    return []


def _wait(process: subprocess.Popen[bytes], seconds: float, ready: Callable[[], object] = lambda: False) -> None:
    """Wait until something is so, for some seconds, or until a process has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None and not ready():
        time.sleep(0.01)


def interrupt(trial: Trial, number: signal.Signals, whom: str) -> None:
    """Send a signal to a job, to Snakemake, or to everything at once as a loss of power would."""
    trial.undo(("slowly",), ("coun", "slowly"), ("original", "slowly"), ("retrain",))
    trial.remove(*trial.chance.choice([(), (GATHERED,), (SHOWN, MAP)]))
    process, after = trial.workflow(), trial.chance.uniform(0.05, 1.5) * trial.pace
    if whom == "a job":
        _wait(process, PATIENCE, lambda: _jobs(process))
    else:
        after *= 3
    _wait(process, after)
    trial.what = f"after {after:.2f} s"
    if process.poll() is not None:
        trial.what += ", when it had ended"
    elif whom == "everything":
        os.killpg(process.pid, number)
    elif whom == "Snakemake":
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()  # its job goes on, and meets the workflow's next run
            return
    else:
        for job in _jobs(process)[:1]:
            with contextlib.suppress(psutil.Error):
                job.send_signal(number)
    trial.end(process)


def starve(trial: Trial, kind: int) -> None:
    """Let no file grow beyond a limit, as on a full disk, or no process have more memory."""
    trial.undo(("slowly",), ("coun",), ("original", "coun"), ("retrain",))
    trial.remove(*trial.chance.choice([(), (GATHERED, SHOWN), (KINDS["split"], MAP)]))
    low, high = (3.0, 6.0) if kind == resource.RLIMIT_FSIZE else (8.8, 9.5)
    size = int(10 ** trial.chance.uniform(low, high))
    trial.what = f"nothing beyond {size} bytes"
    with contextlib.suppress(subprocess.TimeoutExpired):  # a library may ask for memory again and again for ever
        trial.end(trial.workflow(limit=(kind, size)), LITTLE_PATIENCE)


def checkpoint(trial: Trial) -> None:
    """Stop a run once it has saved; leave its checkpoint, damage it, or put one of another configuration there."""
    trial.undo(("slowly",))
    how = trial.chance.choice(["left", "damaged", "damaged", "another's"])
    study = trial.root / "config" / f"{NAME}.yaml"
    text = study.read_text(encoding="utf-8")
    if how == "another's":
        study.write_text(text.replace("lr: 0.05", "lr: 0.06"), encoding="utf-8")
    process = trial.start("benchmark", "run", NAME, f"{CELL}/slowly/trial-0")
    _wait(process, PATIENCE, lambda: trial.files("results/work/**/checkpoint.pt"))
    process.send_signal(trial.chance.choice([signal.SIGTERM, signal.SIGKILL, signal.SIGINT]))
    trial.end(process)
    (saved,) = trial.files("results/work/**/checkpoint.pt")
    if how == "another's":
        study.write_text(text, encoding="utf-8")
        here = trial.runs["slowly"].replace("runs", "work", 1)
        (trial.root / saved).parent.rename(trial.root / here)
    elif how == "damaged":
        damage(trial, saved)
    trial.what = f"{how} {trial.what}"


def twice(trial: Trial, whole: bool) -> None:
    """Do the same run by hand and by the workflow at once, or the whole workflow twice; one of them may be killed."""
    trial.undo(("coun", "slowly"), ("original", "slowly"), ("slowly",))
    first = trial.workflow("--nolock") if whole else trial.start("benchmark", "run", NAME, f"{CELL}/slowly/trial-0")
    second = trial.workflow("--nolock")
    killed = trial.chance.choice([None, first, second])
    _wait(second, trial.chance.uniform(0.1, 3.0) * trial.pace)
    if killed:
        killed.kill()
    trial.what = "both end" if killed is None else "first killed" if killed is first else "second killed"
    trial.end(first)
    trial.end(second)


FAULTS: dict[str, Callable[[Trial], None]] = {
    "kill -9 of a job": partial(interrupt, number=signal.SIGKILL, whom="a job"),
    "lost folders": lose_folders,
    "kill -9 of Snakemake": partial(interrupt, number=signal.SIGKILL, whom="Snakemake"),
    "full disk": partial(starve, kind=resource.RLIMIT_FSIZE),
    "kill -9 of everything": partial(interrupt, number=signal.SIGKILL, whom="everything"),
    "checkpoint": checkpoint,
    "SIGTERM to a job": partial(interrupt, number=signal.SIGTERM, whom="a job"),
    "laid over": lay_over,
    "SIGTERM to Snakemake": partial(interrupt, number=signal.SIGTERM, whom="Snakemake"),
    "parked weights": park,
    "SIGINT to Snakemake": partial(interrupt, number=signal.SIGINT, whom="Snakemake"),
    "moved checkout": move,
    "full memory": partial(starve, kind=resource.RLIMIT_AS),
    "lost notes": lose_notes,
    "one run twice": partial(twice, whole=False),
    "workflow twice": partial(twice, whole=True),
}
FAULTS |= {f"{how.__name__} {kind}": partial(how, pattern=KINDS[kind]) for kind in KINDS for how in (lose, damage)}
