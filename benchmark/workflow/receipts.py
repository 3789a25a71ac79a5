"""Receipts: records of the tables, figures, page and gathered results that are drawn of a study in its present form.

The name of a receipt holds the fingerprint of all that determines what was drawn. So an output of a study that has
changed since has none, and Snakemake draws it again, whatever the ages of files. A receipt also holds a digest of the
results that were drawn: a run that was made again, for whichever study, may have others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import digest, read_record, set_aside, sha256, write_record
from benchmark.results import records
from benchmark.study.study import Study

FILES, RESULTS = "files", "results"
OVERALL = ("collected", "page")  # outputs that every study has


@contextlib.contextmanager
def renewed(path: Path, results: str | None = None) -> Iterator[list[Path]]:
    """Yield a list for the files that are drawn of ``results``, and on success write their receipt, ``path``.

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
            if _fits(receipt, partly=True):
                receipt.rename(other)
            else:
                receipt.unlink()
        raise
    content = {FILES: {str(file): sha256(file) for file in files}}
    write_record(path, content | ({RESULTS: results} if results else {}))
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
            receipt.unlink(missing_ok=True)  # its output may be drawn again just now


def results_of(study: Study, output: str) -> str | None:
    """Return a digest of the samples of all runs that an output shows; None if it shows none, or one is not on disk."""
    if output in study.outputs and not study.kind_of(output).shows_results:
        return None
    runs = study.runs_of(output) if output in study.outputs else study.runs()
    try:
        return digest([_samples(run.pool_path) for run in runs])
    except (KeyError, BadInput):
        return None


def outdate(study: Study) -> None:
    """Have the workflow make again what was made of other results than a study's runs have now.

    Receipts of its outputs are removed, and files derived from other weights are set aside.
    """
    _samples.cache_clear()
    for receipt in _receipts(study.name):
        output = _output(receipt)
        if output in (*study.outputs, *OVERALL) and receipt == study.receipt(output):
            with contextlib.suppress(BadInput):
                drawn = read_record(receipt).get(RESULTS)  # earlier versions do not say
                if drawn and results_of(study, output) not in (drawn, None):
                    receipt.unlink(missing_ok=True)
    for file in study.derived:
        with contextlib.suppress(BadInput):  # a damaged record: its readers say so
            if records.is_of_other_weights(file):
                set_aside(paths.derived(file.pool_path), "other")


def check(study: str) -> tuple[int, list[tuple[Path, str]]]:
    """Compare drawn files with their receipts; return the number of intact ones, and each other with its fault.

    Where an output has several receipts, those that fit count: see `settle`. An output that is drawn meanwhile, whose
    receipt is then gone, is passed over.
    """
    settle(study)
    intact, faults = 0, {}  # two receipts may name one file
    for path in _receipts(study):
        try:
            digests = read_record(path)[FILES]
        except (KeyError, BadInput) as error:
            if path.exists():
                faults[path] = str(error)
            continue
        for file, drawn in digests.items():
            if not Path(file).is_file():
                continue  # the workflow makes what is missing
            if sha256(Path(file)) == drawn:
                intact += 1
            elif _digests(path) == digests:
                faults[Path(file)] = "it is not what was drawn"
    return intact, list(faults.items())


def _digests(receipt: Path) -> dict[str, str] | None:
    """Return the digests of the files in a receipt; None if it is gone, or damaged."""
    with contextlib.suppress(KeyError, BadInput):
        return dict(read_record(receipt)[FILES])
    return None


@cache
def _samples(pool_path: str) -> str:
    """Return the digest of a run's samples, by its record."""
    return str(read_record(paths.run(pool_path) / paths.RUN)["sha256"][paths.SAMPLES])


def _output(receipt: Path) -> str:
    return receipt.stem.rpartition("-")[0]


def _fits(receipt: Path, partly: bool = False) -> bool:
    """Whether every file of a receipt is on disk as it was drawn or, with ``partly``, each that is on disk."""
    if (digests := _digests(receipt)) is None:
        return False
    files = [Path(file) for file in digests if not partly or Path(file).is_file()]  # the workflow makes missing ones
    return all(file.is_file() and sha256(file) == digests[str(file)] for file in files)


def _receipts(study: str) -> list[Path]:
    """Return a study's receipts, but for hidden ones: they are being written, or a killed process left them."""
    return sorted(paths.receipt(study, "any", "").parent.glob("[!.]*.json"))
