"""A campaign of faults against the workflow. Not a part of the quick tests::

    python -m tests.faults.campaign --faults 200 --seed 0

Each fault hits a copy of a finished study, whose tables and figures stay in place: a process is killed or stopped, the
disk or the memory is full, a file or folder is damaged, lost or replaced by another's, the checkout is moved. Then
``snakemake all`` is run, at most twice: after a kill of Snakemake itself with ``--unlock`` first, as the README says,
and with ``verify`` in between where a file was damaged that nothing had read. The fault is healed if every file is as
before and no other run was repeated; the result is wrong if the workflow succeeded and a file differs that the fault
left alone; else something is lost. ``--only N`` repeats a fault, except for the moment at which it hits.
"""

import argparse
import collections
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmark.errors import StaleOutput
from benchmark.files import read_parquet, read_record, written_origin
from tests.faults.faults import FAULTS, KINDS, PATIENCE, Case
from tests.faults.study import NAME, build
from tests.project import CLOCKS

DIFFERING = [*CLOCKS, "wall_seconds", "peak_memory_mb", "commit"]  # between two runs
SPARE = (".npy", ".safetensors", "provenance.json")  # what a finished study does not need


def outcome(root: Path, study: str = NAME) -> dict[str, object]:
    """Return the content of each file of a study, without clocks; whether it is intact is for ``verify`` to say."""
    paths = {path for pattern in KINDS.values() for path in root.glob(pattern.replace(NAME, study))}
    aside = {path for path in paths if path.suffix in (".damaged", ".other") or path.name.startswith(".")}
    return {str(path.relative_to(root)): _content(path) for path in paths - aside}


def differing(root: Path, expected: dict[str, object]) -> set[str]:
    """Return the files whose content is not as expected; those in `SPARE` may be missing."""
    contents = outcome(root)
    names = contents.keys() | {name for name in expected if not name.endswith(SPARE)}
    return {name for name in names if contents.get(name) != expected.get(name)}


def _content(path: Path) -> object:
    try:
        if path.suffix in (".parquet", ".csv"):
            frame = read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
            origin = written_origin(path) if path.suffix == ".parquet" else None
            return origin, frame.drop(columns=DIFFERING, errors="ignore").to_csv()
        if path.name == "run.json":
            record = read_record(path)
            digests = [record["sha256"].get(name) for name in ("samples.parquet", "model.safetensors")]
            return digests, [record[key] for key in ("run", "status", "slice", "split", "started_from", "fingerprint")]
    except (ValueError, KeyError, OSError, StaleOutput) as error:
        return repr(error)
    shows_clocks = path.name == "index.html" or "drawn" in path.parts
    return None if shows_clocks else path.read_bytes()


def endure(case: Case, expected: dict[str, object]) -> None:
    """Inject a fault, let the workflow recover, and note the verdict."""
    before = case.ages()
    try:
        FAULTS[case.kind](case)
        before = case.ages() if case.idle else before
        case.verdict = _recover(case, expected)
        remade = {file for file, age in case.ages().items() if age != before.get(file, age)}
        if not case.idle:  # only runs that the fault left unharmed
            runs = case.unharmed({file for file in remade if file.endswith("run.json")})
            remade = {run for run in runs if not any(path.startswith(run[: -len("run.json")]) for path in case.harmed)}
        if remade:
            case.verdict = f"lost, since made again: {', '.join(remade)}; {case.verdict}"
    except Exception as error:
        case.verdict = f"lost by {type(error).__name__}: {error}"
    finally:
        case.clear()


def _recover(case: Case, expected: dict[str, object]) -> str:
    verified, differs = "", set[str]()
    if any((case.root / ".snakemake" / "locks").glob("*")):
        case.start("snakemake", "--unlock", "--config", f"study={NAME}").wait(PATIENCE)
    for call in ("1 run", "2 runs"):
        if case.workflow().wait(PATIENCE):
            continue
        differs = differing(case.root, expected)
        if wrong := case.unharmed(differs):
            return f"wrong after {call}: {', '.join(wrong)}"
        if not case.start("benchmark", "verify", NAME).wait(PATIENCE) and not differs:
            return f"healed by {call}{verified}"
        verified = " and verify"
    log = max((case.root / ".snakemake" / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
    return f"lost after 2 runs{verified}: {', '.join(differs)} ... {log.read_text()[-1500:]}"


def campaign(numbers: Sequence[int], seed: int, kinds: Sequence[str] = tuple(FAULTS)) -> list[Case]:
    """Inject the faults of these numbers, their kinds in turn, and return their cases."""
    cases = []
    with tempfile.TemporaryDirectory(prefix="campaign-", ignore_cleanup_errors=True) as folder:
        finished, started = Path(folder) / "finished", time.monotonic()
        build(finished)
        if Case(finished, random.Random(0)).workflow().wait(PATIENCE):
            raise SystemExit(f"the study does not come to its end in {finished}")
        pace, expected = (time.monotonic() - started) / 15, outcome(finished)
        for number in numbers:
            copy = Path(shutil.copytree(finished, Path(folder) / str(number) / "study"))
            case = Case(copy, random.Random(f"{seed} {number}"), kinds[number % len(kinds)], pace)
            endure(case, expected)
            shutil.rmtree(copy.parent, ignore_errors=True)
            print(f"{number:4d} {case.kind}: {case.detail}: {case.verdict}", flush=True)
            cases.append(case)
    return cases


def main() -> None:
    """Run the campaign from the command line and print a summary; exit status 1 where anything was lost or wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--faults", type=int, default=200, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="decides what each fault is")
    parser.add_argument("--only", type=int, nargs="*", help="the numbers of faults to repeat")
    options = parser.parse_args()
    cases = campaign(options.only or range(options.faults), options.seed)
    healed = [case for case in cases if case.verdict.startswith("healed")]
    wrong = sum(case.verdict.startswith("wrong") for case in cases)
    counts = collections.Counter(case.kind for case in cases), collections.Counter(case.verdict for case in healed)
    print("\n".join(f"{count:5d} {name}" for counter in counts for name, count in sorted(counter.items())))
    print(f"{len(cases)} faults: {len(healed)} healed, {len(cases) - len(healed) - wrong} lost, {wrong} wrong")
    sys.exit(len(healed) < len(cases))


if __name__ == "__main__":
    main()
