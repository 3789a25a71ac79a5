"""The faults. Each hits a finished study; some delete a part of it first, so that it must be made again."""

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

from benchmark.commands.job_server import SERVER
from tests.faults.study import CELL, NAME, ROOT

PATIENCE = 600  # seconds for one command, which takes half a minute on a quiet machine
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "BENCHMARK_DEVICE": "cpu"}

RETRAIN, COUN, SLOWLY = (f"results/runs/{CELL}/{method}" for method in ("retrain", "coun", "slowly"))
ORIGINAL = "results/runs/digits/convnet/original"
CHECKPOINT = "results/work/**/checkpoint.pt"
# The files of a finished study by kind.
KINDS = {
    "record": "results/runs/**/run.json",
    "results": "results/runs/**/*.parquet",  # samples and history
    "weights": "results/runs/**/model.safetensors",
    "split": "results/splits/**/*.parquet",
    "derived": "results/[dmv]*s/**/*.parquet",  # distances, maps and views
    "relearning": "results/relearning/**/*.parquet",
    "dataset": "data/*/*",
    "receipt": "results/drawn/*/*.json",
    "gathered": f"results/{NAME}-*.parquet",
    "table": f"paper_tables/{NAME}/*",
    "figure": f"figures/{NAME}/*",
}
# What is made from files of a kind: if it is missing the workflow reads them, otherwise only ``verify`` does.
MADE_FROM = {KINDS[kind]: ((), (COUN,)) for kind in ("split", "dataset")}
MADE_FROM |= {KINDS[kind]: ((), (KINDS["gathered"],)) for kind in ("record", "results")}
MADE_FROM |= {KINDS[kind]: ((), (KINDS["figure"], KINDS["table"])) for kind in ("derived", "relearning")}
MADE_FROM |= {KINDS["weights"]: ((), (COUN, KINDS["derived"]))}
FOLDERS = ("results", "results/*", "results/runs/**/trial-*", "data", "figures", f"paper_tables/{NAME}")


@dataclass
class Case:
    """One fault: the folder that it hits, what it does, and its verdict."""

    root: Path
    chance: random.Random
    kind: str = ""
    pace: float = 5.0  # seconds of a workflow that has nothing to do
    detail: str = ""
    harmed: set[str] = field(default_factory=set)  # files and folders that it damaged or deleted
    idle: bool = False  # whether nothing needs to be made again
    verdict: str = ""  # its first word is ``healed``, ``lost`` or ``wrong``
    sessions: list[int] = field(default_factory=list)

    def files(self, *patterns: str) -> list[str]:
        """Return the files and folders that match, relative to the root."""
        return sorted({str(path.relative_to(self.root)) for pattern in patterns for path in self.root.glob(pattern)})

    def remove(self, *choices: tuple[str, ...]) -> None:
        """Delete the files and folders of one of several choices of patterns; what shows them stays in place."""
        for file in self.files(*self.chance.choice(choices)):
            self.harmed.add(file)
            path = self.root / file
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def unharmed(self, files: set[str]) -> set[str]:
        """Return the files that were neither damaged nor deleted."""
        return {file for file in files if not file.startswith(tuple(self.harmed))}

    def ages(self) -> dict[str, int]:
        """Return when each file of the study was written."""
        return {file: (self.root / file).stat().st_mtime_ns for file in self.files(*KINDS.values())}

    def start(self, module: str, *arguments: str, limit: tuple[int, int] | None = None) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own, under a resource limit if one is given."""
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        variables = {name: value for name, value in os.environ.items() if name != SERVER}  # nothing shared with others
        setting = {"cwd": self.root, "env": variables | ENVIRONMENT, "preexec_fn": partial(_as_from_a_terminal, limit)}
        process = subprocess.Popen([sys.executable, "-m", module, *arguments], **streams, **setting)
        self.sessions.append(process.pid)
        return process

    def workflow(self, *options: str, limit: tuple[int, int] | None = None) -> subprocess.Popen[bytes]:
        """Start the workflow."""
        return self.start("snakemake", "--cores", "1", "all", *options, "--config", f"study={NAME}", limit=limit)

    def clear(self) -> None:
        """Kill what this case started and still runs."""
        for session in self.sessions:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(session, signal.SIGKILL)


def _as_from_a_terminal(limit: tuple[int, int] | None) -> None:
    """Let a child heed SIGINT, which a shell's background commands ignore; then limit a resource."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if limit:
        resource.setrlimit(limit[0], (limit[1], limit[1]))


def damage(case: Case, *patterns: str) -> None:
    """Flip a bit of a file, cut it, empty it or write noise into it; maybe delete what is made from it first."""
    case.remove(*MADE_FROM.get(patterns[0], ((),)))
    file = case.chance.choice(case.files(*patterns))
    content = bytearray((case.root / file).read_bytes())
    position, how = case.chance.randrange(len(content)), case.chance.choice(("flip", "flip", "cut", "empty", "noise"))
    case.detail += f"{how} at byte {position} of {len(content)} of {file}"
    if how == "flip":
        content[position] ^= 1 << case.chance.randrange(8)
    elif how == "noise":
        content[position : position + 64] = case.chance.randbytes(len(content[position : position + 64]))
    else:
        content = content[: position if how == "cut" else 0]
    (case.root / file).write_bytes(content)
    case.harmed.add(file)


def lose(case: Case, *patterns: str) -> None:
    """Delete one, some or all files of a kind, and maybe what is made from them."""
    case.remove(*MADE_FROM.get(patterns[0], ((),)))
    files = case.files(*patterns)
    chosen = case.chance.sample(files, min(len(files), case.chance.choice([1, 1, 2, len(files)])))
    case.detail += ", ".join(chosen)
    case.remove(tuple(chosen))


def lay_over(case: Case) -> None:
    """Copy the files of one run, or of one table, over another's."""
    pairs = [(f"{RETRAIN}/*/model*", f"{ORIGINAL}/*/model*"), (f"{COUN}/*/s*", f"{SLOWLY}/*/s*")]
    pairs += [(f"{SLOWLY}/*/*", f"{COUN}/*/*"), (f"paper_tables/{NAME}/table2.*", f"paper_tables/{NAME}/table5.*")]
    source, target = case.chance.choice(pairs)
    case.detail = f"{source} over {target}"
    case.remove((), (KINDS["gathered"],), (KINDS["derived"],))
    for file, target_file in zip(case.files(source), case.files(target), strict=True):
        shutil.copyfile(case.root / file, case.root / target_file)
        case.harmed.add(target_file)


def move(case: Case) -> None:
    """Rename the checkout, copy it without its ages, or shuffle its files' ages; maybe delete what it does not need."""
    case.remove((), (".snakemake", "results/logs"))
    case.idle, case.detail = True, case.chance.choice(["renamed", "copied", "ages shuffled"])
    elsewhere = case.root.with_name("elsewhere")
    if case.detail == "renamed":
        case.root = case.root.rename(elsewhere)
    elif case.detail == "copied":
        case.root = Path(shutil.copytree(case.root, elsewhere, copy_function=shutil.copyfile))
    for path in case.root.rglob("*") if case.detail == "ages shuffled" else ():
        os.utime(path, (case.chance.randrange(2 * 10**9),) * 2)


def park(case: Case) -> None:
    """Lose or damage weights that lie where a job leaves them for the rule that moves them, or leave them there."""
    (weights,) = case.files(f"{ORIGINAL}/*/model.safetensors")
    parked = weights.replace("/runs/", "/work/").replace("/model.", ".")
    (case.root / parked).parent.mkdir(parents=True, exist_ok=True)
    (case.root / weights).rename(case.root / parked)
    case.remove((COUN,))
    if how := case.chance.choice([None, damage, lose]):
        how(case, parked)
        case.harmed.add(weights)


def _jobs(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes of a workflow's jobs: their commands, and the server with the forks that do them."""
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if any("benchmark" in part for part in child.cmdline())]
    return []


def _wait(process: subprocess.Popen[bytes], seconds: float, ready: Callable[[], object] = lambda: False) -> None:
    """Wait for a condition, for some seconds, or until a process has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None and not ready():
        time.sleep(0.01)


def interrupt(case: Case, number: signal.Signals, whom: str) -> None:
    """Send a signal to a job, to Snakemake alone, or to everything at once as a loss of power would."""
    case.remove((SLOWLY,), (COUN, SLOWLY), (ORIGINAL, SLOWLY), (RETRAIN,))
    case.remove((), (KINDS["gathered"],), (KINDS["table"], KINDS["derived"]))
    process = case.workflow()
    if whom == "a job":
        _wait(process, PATIENCE, lambda: _jobs(process))
    _wait(process, delay := case.chance.uniform(0.05, 1.5 if whom == "a job" else 4) * case.pace)
    case.detail = f"after {delay:.2f} s" if process.poll() is None else "when all had ended"
    with contextlib.suppress(psutil.Error, ProcessLookupError, IndexError):
        if whom == "everything":
            for job in (*_jobs(process), process):
                job.send_signal(number)
        else:
            (process if whom == "Snakemake" else case.chance.choice(_jobs(process))).send_signal(number)
    process.wait(PATIENCE)


def starve(case: Case, kind: int, sizes: tuple[float, float]) -> None:
    """Let no file grow beyond a limit, as on a full disk, or no process have more memory."""
    case.remove((SLOWLY,), (COUN,), (ORIGINAL, COUN), (RETRAIN,))
    case.remove((), (KINDS["gathered"], KINDS["table"]), (KINDS["split"], KINDS["derived"]))
    size = int(10 ** case.chance.uniform(*sizes))
    case.detail = f"nothing beyond {size} bytes"
    _wait(process := case.workflow(limit=(kind, size)), PATIENCE / 3)
    case.clear()  # kill what hangs asking for memory, as its user would
    process.wait()


def checkpoint(case: Case) -> None:
    """Stop a run once it has saved; leave its checkpoint, damage it or lose it."""
    case.remove((SLOWLY,))
    process = case.start("benchmark", "run", NAME, f"{CELL}/slowly/trial-0")
    _wait(process, PATIENCE, lambda: case.files(CHECKPOINT))
    process.send_signal(case.chance.choice([signal.SIGTERM, signal.SIGKILL, signal.SIGINT]))
    process.wait(PATIENCE)
    if how := case.chance.choice([None, damage, damage, lose]):
        how(case, CHECKPOINT)


def twice(case: Case) -> None:
    """Start the workflow twice at once, in spite of Snakemake's lock; one of them may be killed."""
    case.remove((COUN, SLOWLY), (ORIGINAL, SLOWLY), (SLOWLY,))
    first, second = case.workflow("--nolock"), case.workflow("--nolock")
    _wait(first, case.chance.uniform(0.1, 3.0) * case.pace)
    if killed := case.chance.choice([None, first, second]):
        killed.kill()
    case.detail = "one is killed" if killed else "both end"
    first.wait(PATIENCE)
    second.wait(PATIENCE)


FAULTS: dict[str, Callable[[Case], None]] = {
    f"{number.name} to {whom}": partial(interrupt, number=number, whom=whom)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    for whom in ("a job", "Snakemake", "everything")
} | {
    "full disk": partial(starve, kind=resource.RLIMIT_FSIZE, sizes=(3.0, 6.0)),
    "full memory": partial(starve, kind=resource.RLIMIT_AS, sizes=(8.8, 9.5)),
    "checkpoint": checkpoint,
    "parked weights": park,
    "workflow twice": twice,
    "laid over": lay_over,
    "moved checkout": move,
    "lost folders": lambda case: lose(case, *FOLDERS),
}
FAULTS |= {f"lost {kind}": lambda case, kind=kind: lose(case, KINDS[kind]) for kind in KINDS}
FAULTS |= {f"damaged {kind}": lambda case, kind=kind: damage(case, KINDS[kind]) for kind in KINDS}
