"""Every kind of file of a finished study, lost and damaged. Not a part of the quick tests::

    python -m tests.faults.matrix

In copies of a study that ``snakemake all`` has finished, a file is deleted, cut in half or given a flipped bit, and
folders are deleted. At each step Snakemake, ``status`` and ``verify`` must agree whether anything is missing, and
``verify`` must name what is damaged. Then one ``snakemake all`` must bring everything back as it was. Where nothing
needs what was hit, what is made from it is deleted too.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.faults.campaign import differing, outcome
from tests.faults.faults import COUN, ORIGINAL, RETRAIN
from tests.faults.study import CELL, NAME, build
from tests.project import Project, call

MAPS = f"results/maps/{CELL}"
# A file of every kind, and what must be deleted too before anything needs it.
FILES: dict[str, str | None] = {
    "data/*/provenance.json": COUN,
    "data/*/train_images.npy": COUN,
    "data/*/test_labels.npy": COUN,
    "results/splits/**/*.parquet": None,
    **dict.fromkeys([f"{ORIGINAL}/*/{name}" for name in ("run.json", "samples.parquet", "history.parquet")]),
    f"{ORIGINAL}/*/model.safetensors": COUN,
    f"{RETRAIN}/*/run.json": None,
    f"{RETRAIN}/*/model.safetensors": MAPS,
    **dict.fromkeys([f"{COUN}/*/{name}" for name in ("run.json", "samples.parquet", "history.parquet")]),
    **dict.fromkeys([f"results/{kind}/**/*.parquet" for kind in ("maps", "distances", "views", "relearning")]),
    **dict.fromkeys([f"results/{NAME}-{kind}.parquet" for kind in ("metrics", "history", "audits")]),
    **dict.fromkeys([f"results/drawn/*/{name}-*.json" for name in ("table2", "figure1", "collected", "page")]),
    **dict.fromkeys([f"paper_tables/{NAME}/table2.{suffix}" for suffix in ("tex", "csv", "md", "html")]),
    **dict.fromkeys([f"figures/{NAME}/figure1.{suffix}" for suffix in ("pdf", "png")]),
    f"figures/{NAME}/index.html": None,
}
FOLDERS: dict[str, str | None] = {
    "data": COUN,
    **dict.fromkeys([f"{ORIGINAL}/*", f"{RETRAIN}/*", f"{COUN}/*", "results/runs", MAPS, "results/maps"]),
    **dict.fromkeys(["results/splits", f"results/splits/{CELL.replace('/convnet', '')}", "results/drawn", "results"]),
    **dict.fromkeys([f"paper_tables/{NAME}", f"figures/{NAME}"]),
}


def delete(path: Path) -> None:
    """Delete a file or a folder."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def cut(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """Flip a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


HEALED, UNREAD = "healed", "nobody reads it"  # a bit that the format holds twice or no reader uses
FAULTS: dict[str, Callable[[Path], None]] = {"deleted": delete, "cut": cut, "flipped": flip}


def look(project: Project) -> tuple[bool | None, str]:
    """Return whether a file is missing (None: Snakemake, ``status`` and ``verify`` differ) and ``verify``'s output."""
    plan = project.snakemake("-n", "all")
    assert plan.returncode == 0, plan.stdout
    status, verified = call("status", NAME).stdout, call("verify", NAME)
    printed = verified.stdout + verified.stderr
    missing = {"Nothing to be done" not in plan.stdout, "to be made by 'all'" in status, "missing: " in printed}
    return (missing.pop() if len(missing) == 1 else None), printed


def healed(project: Project, pattern: str, fault: str, dependent: str | None, expected: dict[str, object]) -> str:
    """Hit a file or folder, let the workflow recover, and return `HEALED`, `UNREAD`, or what went wrong."""
    path = next(project.root.glob(pattern))
    for needed_by in project.root.glob(dependent) if dependent else ():
        delete(needed_by)
    FAULTS[fault](path)
    missing, printed = look(project)
    if missing != bool(fault == "deleted" or dependent):
        return f"before: {'it is missed' if missing else 'they differ' if missing is None else 'nobody misses it'}"
    if fault != "deleted":
        if str(path.relative_to(project.root)) not in printed:
            return UNREAD if outcome(project.root) == expected else "verify does not name it"
        if not look(project)[0]:
            return "set aside: not missed by all"
    done = project.snakemake("all")
    if done.returncode or not path.exists():
        return f"not brought back: {done.stdout[-500:]}"
    if changed := differing(project.root, expected):
        return f"differ: {', '.join(changed)}"
    missing, printed = look(project)
    return HEALED if missing is False and "intact" in printed else f"afterwards: {printed}"


def entries() -> Iterator[tuple[str, str, str | None]]:
    """Yield the pattern, the fault and what must be deleted too, of each entry of the matrix."""
    for pattern, dependent in FILES.items():
        yield from ((pattern, fault, dependent) for fault in FAULTS)
    yield from ((pattern, "deleted", dependent) for pattern, dependent in FOLDERS.items())


def matrix(only: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return what `healed` returns for each pattern and fault, and print it on the way."""
    verdicts: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        finished = Path(folder) / "finished"
        build(finished)
        done = Project(finished).snakemake("all")
        assert done.returncode == 0, done.stdout
        expected = outcome(finished)
        for number, (pattern, fault, dependent) in enumerate(entries()):
            if not any(fnmatch.fnmatch(pattern, row) for row in only):
                continue
            copy = Path(shutil.copytree(finished, Path(folder) / str(number)))
            with contextlib.chdir(copy):
                verdict = healed(Project(copy), pattern, fault, dependent, expected)
            shutil.rmtree(copy)
            print(f"{pattern} {fault}: {verdict}", flush=True)
            verdicts.setdefault(pattern, {})[fault] = verdict
    return verdicts


def main() -> None:
    """Print the matrix as a Markdown table; exit status 1 where an entry has not healed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", default=["*"], help="shell patterns of the rows to try")
    by_pattern = matrix(parser.parse_args().only)
    print(f"\n| what was hit | {' | '.join(FAULTS)} |\n|---|{'---|' * len(FAULTS)}")
    for pattern, verdicts in by_pattern.items():
        texts = [verdicts.get(fault, "").partition("\n")[0] for fault in FAULTS]
        print(f"| `{pattern}` | {' | '.join(texts)} |")
    sys.exit(any(verdict not in (HEALED, UNREAD) for verdicts in by_pattern.values() for verdict in verdicts.values()))


if __name__ == "__main__":
    main()
