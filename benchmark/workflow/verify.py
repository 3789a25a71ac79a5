"""Is everything on disk, and what was written? Looks for every file of a study, and compares it with its digest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmark import paths
from benchmark.data import store
from benchmark.errors import BadInput, StaleOutput
from benchmark.files import read_parquet, read_record, repairing, set_aside
from benchmark.results import records
from benchmark.study.prepare import load
from benchmark.study.runs import Derived, Run, placed
from benchmark.study.study import Study
from benchmark.workflow import receipts
from benchmark.workflow.targets import missing

NAMED = 5  # of the files that are missing


def verify(study: Study) -> tuple[int, list[str]]:
    """Return how many files are as they were written, and a line for each that is not.

    What is missing is passed over; see `benchmark.workflow.targets.missing`. What is damaged is set aside, and so are
    runs, splits and derived files of other images than the ones on disk.
    """
    whole, faults = receipts.check(study.name)
    lines = [f"{path}: {problem}; set aside as {set_aside(path)}: run snakemake again" for path, problem in faults]
    for check in _checks(study):
        try:
            with repairing():
                whole += check()
        except records.OtherData as error:
            lines.append(f"{error}; set aside as {set_aside(error.path, 'other')}")
        except StaleOutput as error:
            lines.append(str(error))
    return whole, lines


def report(study: Study, differing: Callable[[Study], list[str]] = lambda _: []) -> str:
    """Return the findings as text; raise `BadInput` that names every damaged file, and what is missing.

    ``differing`` may look for more: it returns a line for each thing that comes out otherwise.
    """
    gone = missing(study)  # before damaged files are set aside
    whole, damaged = verify(study)
    other = differing(study)
    if damaged or gone or other:
        counts = f"{len(damaged)} damaged, {len(gone)} missing, {len(other)} that come out otherwise, {whole} intact"
        some = [f"missing: {', '.join(map(str, gone[:NAMED]))}{', ...' * (len(gone) > NAMED)}"] if gone else []
        raise BadInput(f"{counts}: {'; '.join([*damaged, *other, *some])}")
    return f"all {whole} files are intact"


def _checks(study: Study) -> Iterator[Callable[[], int]]:
    """Yield what checks each thing that is there; what is missing is the workflow's to see to."""
    checks: list[tuple[Path, Callable[[], int]]] = []
    checks += [(paths.split(split.place), partial(_one, records.drawn, study, split)) for split in study.all_splits]
    checks += [(paths.derived(one.place), partial(_derived, study, one)) for one in study.derived]
    checks += [(paths.run(run.place) / paths.RUN, partial(_run, study, run)) for run in study.runs()]
    collected = [paths.collected(study.name, what) for what in paths.FRAMES]
    checks += [(path, partial(_one, read_parquet, path)) for path in collected]
    measured = [paths.measured(run.place, cell.scenario) for run, cell in placed(study.runs(), study.cells)]
    checks += [(path, partial(_one, read_record, path)) for path in measured]
    for name in study.datasets:
        if all(path.is_file() for path in store.files(study.dataset_folder(name))):
            yield partial(_dataset, study, name)
    yield from (check for path, check in checks if path.is_file())


def _one(read: Callable[..., object], *arguments: object) -> int:
    """Read a single file; what reads it raises what is wrong with it."""
    read(*arguments)
    return 1


def _run(study: Study, run: Run) -> int:
    digests = records.record(study, run)["sha256"]
    names = [name for name in digests if (paths.run(run.place) / name).is_file()]
    for name in names:
        records.checked(study, run, name)
    return 1 + len(names)


def _dataset(study: Study, name: str) -> int:
    load(study, name)
    return len(store.FILES) + 1


def _derived(study: Study, one: Derived) -> int:
    records.derived(one)
    try:
        records.record(study, one.run)
    except records.OtherData as error:
        error.path = paths.derived(one.place)
        raise
    except StaleOutput:
        pass  # a checkout may hold derived files without their runs
    return 1
