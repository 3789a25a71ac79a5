"""Receipts: records of the tables, figures, page and gathered results that are drawn of a study in its present form.

The name of a receipt holds the fingerprint of all that determines what was drawn. So an output of a study that has
changed since has none, and Snakemake draws it again, whatever the ages of files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import read_record, set_aside, sha256, write_record
from benchmark.study.runs import Derived, Run
from benchmark.study.study import Study

FILES = "files"


@contextlib.contextmanager
def renewed(path: Path) -> Iterator[list[Path]]:
    """Yield a list for the files that are drawn, and on success write their receipt, ``path``.

    Receipts that there are of the output are hidden first: a drawing that is killed may have replaced some of their
    files. One that fails brings back those that still fit.
    """
    output = _output(path)
    others = [other for other in path.parent.glob(f"{output}-*.json") if _output(other) == output]
    hidden = [other.rename(other.with_name(f".{other.name}")) for other in others]
    files: list[Path] = []
    try:
        yield files
    except BaseException:
        for receipt, other in zip(hidden, others, strict=True):
            if _fits(receipt):
                receipt.rename(other)
            else:
                receipt.unlink()
        raise
    write_record(path, {FILES: {str(file): sha256(file) for file in files}})
    for receipt in hidden:
        receipt.unlink()


def settle(study: str) -> None:
    """Of several receipts of one output, remove those that do not fit the files on disk, if another does.

    So it is after files under version control were restored: the receipts of other forms of the study stay.
    """
    by_output: dict[str, list[Path]] = {}
    for receipt in _receipts(study):
        by_output.setdefault(_output(receipt), []).append(receipt)
    for receipts in by_output.values():
        if len(receipts) == 1:
            continue
        unfit = [receipt for receipt in receipts if not _fits(receipt)]
        for receipt in unfit if len(unfit) < len(receipts) else []:
            receipt.unlink()


def outdate(run: Run) -> list[str]:
    """Have the workflow make again what shows a run or is derived from it, in every study: the run has other results.

    Receipts of the studies that show it, and of those that cannot be read here, are removed; files derived from its
    weights are set aside. Return a line for each.
    """
    lines = []
    for name in paths.studies():
        derived: list[Derived] = []
        with contextlib.suppress(BadInput):  # it may show the run: two studies' plugins can be at odds in one process
            study = Study.load(name)
            if run.pool_path not in {shown.pool_path for shown in study.runs()}:
                continue
            derived = study.derived
        receipts = _receipts(name)
        for receipt in receipts:
            receipt.unlink()
        lines += [f"the next snakemake draws {name} again"] * bool(receipts)
        for file in derived:
            if file.run.pool_path == run.pool_path and (path := paths.derived(file.pool_path)).is_file():
                lines.append(f"{path}: set aside as {set_aside(path, 'other')}")
    return lines


def check(study: str) -> tuple[int, list[tuple[Path, str]]]:
    """Compare drawn files with their receipts; return the number of intact ones, and each other with its fault.

    Where an output has several receipts, those that fit count: see `settle`.
    """
    settle(study)
    intact, faults = 0, {}  # two receipts may name one file
    for path in _receipts(study):
        try:
            digests = read_record(path)[FILES]
        except (KeyError, BadInput) as error:
            faults[path] = str(error)
            continue
        for file, digest in digests.items():
            if not Path(file).is_file():
                continue  # the workflow makes what is missing
            if sha256(Path(file)) == digest:
                intact += 1
            else:
                faults[Path(file)] = "it is not what was drawn"
    return intact, list(faults.items())


def _output(receipt: Path) -> str:
    return receipt.stem.rpartition("-")[0]


def _fits(receipt: Path) -> bool:
    """Whether every file of a receipt is on disk as it was drawn."""
    try:
        digests = read_record(receipt)[FILES]
    except (KeyError, BadInput):
        return False
    return all(Path(file).is_file() and sha256(Path(file)) == digest for file, digest in digests.items())


def _receipts(study: str) -> list[Path]:
    """Return a study's receipts, but for hidden ones: they are being written, or a killed process left them."""
    return sorted(paths.receipt(study, "any", "").parent.glob("[!.]*.json"))
