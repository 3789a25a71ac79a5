"""Verification of a study's files: each is on disk, and matches its digest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmark import paths
from benchmark.data import store
from benchmark.errors import StaleOutput, some_of
from benchmark.files import read_parquet, repairing, set_aside
from benchmark.results import records
from benchmark.study.prepare import load
from benchmark.study.runs import Derived, Run
from benchmark.study.study import Study
from benchmark.workflow import receipts
from benchmark.workflow.targets import missing


def verify(study: Study) -> tuple[int, list[str]]:
    """Return the number of intact files, and a line for each that is not.

    Missing files are passed over; see `benchmark.workflow.targets.missing`. Damaged files are set aside, and so are
    runs, splits and derived files of other images than those on disk.
    """
    receipts.outdate(study)
    intact, faults = receipts.check(study.name)
    lines = [f"{path}: {problem}; set aside as {set_aside(path)}: run snakemake again" for path, problem in faults]
    for check in _checks(study):
        try:
            with repairing():
                intact += check()
        except records.OtherData as error:
            is_run = error.path.name == paths.RUN  # a finished one, which is kept as a whole
            other = set_aside(error.path.parent if is_run else error.path, "other")
            lines.append(f"{error.path}: {error.problem}; set aside as {other}: run snakemake again")
        except StaleOutput as error:
            lines.append(str(error))
    return intact, lines


def report(study: Study, changed_results: Callable[[Study], list[str]] | None = None) -> tuple[str, bool]:
    """Return the findings as text, and whether all is intact.

    The text counts files, and has a line for each damaged one and one that names some of the missing.
    ``changed_results`` may check further: it returns a line for each result that comes out otherwise.
    """
    absent = missing(study)  # before damaged files are set aside
    intact, damaged = verify(study)
    other = changed_results(study) if changed_results else []
    if not (damaged or absent or other):
        return f"all {intact} files are intact", True
    counts = {"damaged": len(damaged), "that come out otherwise": len(other), "missing": len(absent)}
    counted = [f"{count} {state}" for state, count in counts.items() if count]
    names = [f"missing: {some_of(absent)}"] if absent else []
    return "\n".join([", ".join([*counted, f"{intact} intact"]), *damaged, *other, *names]), False


def _checks(study: Study) -> Iterator[Callable[[], int]]:
    """Yield a check of each file that is there; it returns the number of intact files."""
    checks: list[tuple[Path, Callable[[], int]]] = []
    checks += [
        (paths.split(split.pool_path), partial(_verify, records.split_rows, study, split)) for split in study.all_splits
    ]
    checks += [(paths.derived(file.pool_path), partial(_check_derived, study, file)) for file in study.derived]
    checks += [(paths.run(run.pool_path) / paths.RUN, partial(_check_run, study, run)) for run in study.runs()]
    gathered = [paths.gathered(study.name, frame) for frame in paths.FRAMES]
    checks += [(path, partial(_verify, read_parquet, path)) for path in gathered]
    for name in study.datasets:
        if all(path.is_file() for path in store.files(study.dataset_folder(name))):
            yield partial(_check_dataset, study, name)
    yield from (check for path, check in checks if path.is_file())


def _verify(read: Callable[..., object], *arguments: object) -> int:
    """Verify a single file; ``read`` raises what is wrong with it."""
    read(*arguments)
    return 1


def _check_run(study: Study, run: Run) -> int:
    digests = records.record(study, run)["sha256"]
    names = [name for name in digests if (paths.run(run.pool_path) / name).is_file()]
    for name in names:
        records.checked(study, run, name)
    return 1 + len(names)


def _check_dataset(study: Study, name: str) -> int:
    load(study, name)
    return len(store.FILES) + 1


def _check_derived(study: Study, file: Derived) -> int:
    records.derived(file)
    try:
        records.record(study, file.run)
    except records.OtherData as error:
        error.path = paths.derived(file.pool_path)
        raise
    except StaleOutput:
        pass  # a checkout may hold derived files without their runs
    return 1
