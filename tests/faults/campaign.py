"""A campaign of faults against the workflow. Not a part of the quick tests::

    python -m tests.faults.campaign --faults 200 --seed 0

Each fault hits a copy of a finished study: a process is killed or stopped at a random moment, the disk or the memory is
full, a file or folder is damaged, lost or another's, the checkout is moved, something is started twice. What was drawn
stays in place. Then ``snakemake all`` is run, at most twice: after a kill of Snakemake itself with ``--unlock`` first,
as the README says, and with ``verify`` in between where a file was damaged that nothing had read. All must then be as
in the study that met no fault. Counted are

- losses: it is not, or a finished run was done again that the fault did not take;
- wrong results accepted: the workflow ended well, and a file that the fault did not hit differs.

A fault depends on the seed and its number alone, but for the moment that it hits: ``--only N`` repeats one.
"""

from __future__ import annotations

import argparse
import collections
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from benchmark.files import read_parquet, read_record
from tests.faults.faults import FAULTS, Trial
from tests.faults.study import NAME, build

# What may differ between two runs of the same study.
CLOCKS = ["seconds", "cpu_seconds", "wall_seconds", "peak_memory_mb", "commit"]
# All that the project consists of; what lies there hidden or under another suffix was set aside or left half.
ROOMS = ("data", "results/runs", "results/splits", "results/maps", "results/drawn", "paper_tables", "figures")
SUFFIXES = (".json", ".parquet", ".npy", ".safetensors", ".tex", ".csv", ".md", ".html", ".pdf", ".png")
# What nothing needs that is finished.
SPARE = (".npy", ".safetensors", "provenance.json")


def outcome(root: Path, study: str = NAME) -> dict[str, object]:
    """What each file of a study says, without clocks; whether it is whole is for ``verify`` to say."""
    paths = [path for room in ROOMS for path in (root / room).rglob("*") if path.suffix in SUFFIXES]
    paths += (root / "results").glob(f"{study}-*.parquet")
    return {str(path.relative_to(root)): _content(path) for path in paths if not path.name.startswith(".")}


def _content(path: Path) -> object:
    try:
        if path.suffix == ".parquet":
            return read_parquet(path).drop(columns=CLOCKS, errors="ignore").to_csv()
        if path.suffix == ".csv":
            return pd.read_csv(path).drop(columns=CLOCKS, errors="ignore").to_csv()
        if path.name == "run.json":
            record = read_record(path)
            weights, samples = (record["sha256"].get(name) for name in ("model.safetensors", "samples.parquet"))
            made = [record[key] for key in ("run", "status", "slice", "split", "started_from", "fingerprint")]
            return weights, samples, *made
        if path.parent.parent.name == "drawn":
            return sorted(read_record(path)["files"])
    except (ValueError, KeyError, OSError) as error:
        return repr(error)
    content = path.read_bytes()
    return len(content.splitlines()) if path.name == "index.html" else content  # which shows clocks too


def _differs(root: Path, expected: dict[str, object], but: set[str]) -> list[str]:
    """The files that are not as expected, without some that may be."""
    found = outcome(root)
    names = {name for name in expected if name in found or not name.endswith(SPARE)} | found.keys()
    return sorted(name for name in names - but if found.get(name) != expected.get(name))


def _records(trial: Trial) -> dict[str, bytes]:
    """The records of finished runs, by method."""
    paths = {method: trial.root / folder / "run.json" for method, folder in trial.runs.items()}
    return {method: path.read_bytes() for method, path in paths.items() if path.is_file()}


def _times(root: Path) -> dict[str, int]:
    """When each file of the project was written, as it says itself."""
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for room in ROOMS for path in (root / room).rglob("*")}


def endure(trial: Trial, expected: dict[str, object]) -> Trial:
    """Inject a fault, let the workflow recover, and note what came of it."""
    before = _records(trial)
    try:
        FAULTS[trial.kind](trial)
        times = _times(trial.root)
        _recover(trial, expected)
        if again := [
            run for run, record in _records(trial).items() if run not in trial.costs and record != before[run]
        ]:
            trial.problem = trial.problem or f"done again without need: {', '.join(again)}"
        if trial.idle and _times(trial.root) != times:
            trial.problem = trial.problem or "something was made again without need"
    except Exception as error:
        trial.problem = f"{type(error).__name__}: {error}"
    finally:
        trial.clear()
    logs = (trial.root / "results" / "logs").rglob("*.log")
    trial.tracebacks = sum("Traceback" in log.read_text(errors="replace") for log in logs)
    return trial


def _recover(trial: Trial, expected: dict[str, object]) -> None:
    if any((trial.root / ".snakemake" / "locks").glob("*")):
        trial.end(trial.start("snakemake", "--unlock", "--config", f"study={NAME}"))
    for trial.calls in (1, 2):
        if trial.end(trial.workflow()):
            continue
        if differs := _differs(trial.root, expected, trial.hit):
            trial.wrong = f"run {trial.calls} ended well with another {', '.join(differs)}"
            return
        found = trial.end(trial.start("benchmark", "verify", NAME))
        if not found and not (differs := _differs(trial.root, expected, set())):
            return
        trial.verified = bool(found)
    said = (trial.root.parent / "output.txt").read_text(errors="replace").strip()
    trial.problem = f"two further runs did not heal it {differs}: ... {said[-1500:]}"


def campaign(numbers: Sequence[int], seed: int, jobs: int = 1, kinds: Sequence[str] = tuple(FAULTS)) -> list[Trial]:
    """Inject the faults of these numbers, whose kinds take turns, and return their trials."""
    with tempfile.TemporaryDirectory(prefix="campaign-", ignore_cleanup_errors=True) as folder:
        whole = Path(folder) / "whole" / "study"
        build(whole)
        first = Trial(whole, random.Random(0))
        for _ in ("from nothing", "nothing to do"):
            started = time.monotonic()
            if first.end(first.workflow()):
                raise SystemExit((whole.parent / "output.txt").read_text())
        pace, expected = time.monotonic() - started, outcome(whole)

        def one(number: int) -> Trial:
            with tempfile.TemporaryDirectory(prefix="fault-", dir=folder, ignore_cleanup_errors=True) as copy:
                shutil.copytree(whole, Path(copy) / "study")
                chance, kind = random.Random(f"{seed} {number}"), kinds[number % len(kinds)]
                trial = endure(Trial(Path(copy) / "study", chance, kind, pace), expected)
            told = trial.wrong or trial.problem or f"healed by {trial.calls} run(s){' and verify' * trial.verified}"
            print(f"{number:4d} {trial.kind}: {trial.what}: {told}", flush=True)
            return trial

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, numbers))


def summary(trials: list[Trial]) -> str:
    """Return the totals as text."""
    kinds = collections.Counter(trial.kind for trial in trials)
    well = [trial for trial in trials if not trial.problem and not trial.wrong]
    ways = collections.Counter(f"{trial.calls} run(s){' and verify' * trial.verified}" for trial in well)
    return "\n".join(
        [
            *(f"{count:5d} {kind}" for kind, count in sorted(kinds.items())),
            f"faults: {len(trials)}",
            f"healed: {len(well)} ({', '.join(f'{count} by {way}' for way, count in sorted(ways.items()))})",
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
    parser.add_argument("--jobs", type=int, default=1, help="how many are endured at once")
    parser.add_argument("--first", type=int, default=0, help="the number of the first, to go on from")
    parser.add_argument("--only", type=int, nargs="*", help="the numbers of faults to repeat")
    options = parser.parse_args()
    trials = campaign(options.only or range(options.first, options.faults), options.seed, options.jobs)
    print(summary(trials))
    sys.exit(any(trial.problem or trial.wrong for trial in trials))


if __name__ == "__main__":
    main()
