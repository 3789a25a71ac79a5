"""Read the files of runs, without torch, training or plotting. Reading changes nothing.

A missing file raises `StaleOutput`; a damaged one, or one of another configuration, `DamagedFile`; one made from other
images or another split, `OtherData`. `benchmark.files.repairing` sets damaged files aside.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmark import paths
from benchmark.data import store
from benchmark.data.splits import read_split
from benchmark.errors import DamagedFile, StaleOutput
from benchmark.files import read_parquet, read_record, read_table, sha256, written_digest, written_origin
from benchmark.names import ORIGINAL, RUN_KEYS
from benchmark.paths import HISTORY, RUN, SAMPLES
from benchmark.study.runs import Derived, Run, Split
from benchmark.study.study import Study

if TYPE_CHECKING:
    import pandas as pd

Item = TypeVar("Item")
Result = TypeVar("Result")
FIRST_COLUMNS = ("study", *RUN_KEYS)  # the first columns of every gathered frame


class OtherData(StaleOutput):
    """A run or split (``path``) made from other images than are on disk, or a run made from another split."""

    def __init__(self, study: Study, path: Path, problem: str) -> None:
        remedy = f"'python -m benchmark verify {study.name}' sets it aside, and snakemake then makes it again"
        super().__init__(f"{path}: {problem}: {remedy}")
        self.path, self.problem = path, problem


def passing_over_if(partial: bool) -> contextlib.AbstractContextManager[None]:
    """Pass over what is missing or damaged if ``partial``."""
    return contextlib.suppress(StaleOutput) if partial else contextlib.nullcontext()


def read_all(read: Callable[[Item], Result], items: Iterable[Item], partial: bool = False) -> list[Result]:
    """Return what ``read`` returns for each item, in threads; pass over what is missing or damaged if ``partial``.

    Otherwise the first error is raised, once nothing is being read: a process that ends while Arrow reads may hang.
    """
    from joblib import cpu_count

    def attempt(item: Item) -> Result | None:
        with passing_over_if(partial):
            return read(item)
        return None

    # Threads, since reading, decompressing and the attack release the interpreter's lock.
    with ThreadPoolExecutor(cpu_count()) as threads:
        return [result for result in threads.map(attempt, items) if result is not None]


def is_there(run: Run) -> bool:
    """Whether a run's record, samples and history exist; readers check whether they are intact."""
    return all((paths.run(run.pool_path) / name).is_file() for name in (RUN, SAMPLES, HISTORY))


def record(study: Study, run: Run) -> dict[str, Any]:
    """Return a finished run's ``run.json``; raise as described in this module."""
    path = paths.run(run.pool_path) / RUN
    content = read_record(path, f"{run.name} has not been run: run snakemake")
    if content["fingerprint"] != run.fingerprint:
        raise DamagedFile(path, f"it is of another configuration ({difference(content['slice'], run.origin)})")
    if problem := _other_data(study, run, content):
        raise OtherData(study, path, problem)
    return content


def _other_data(study: Study, run: Run, content: dict[str, Any]) -> str:
    """Describe the data that a record was made from, if it differs from that on disk; missing data is not compared."""
    images, split = content["stamp"].get("data"), content.get("split")
    images_now = store.content_digest_if_known(study.dataset_folder(run.name.dataset))
    split_now = written_digest(paths.split(study.split_of(run).pool_path)) if split else None
    for kind, made_from, on_disk in (("images", images, images_now), ("split", split, split_now)):
        if made_from and on_disk and made_from != on_disk:
            return f"{run.name} was made from other {kind} ({made_from}) than there are now ({on_disk})"
    return ""


def difference(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> str:
    """Name the first key in which two slices differ, with both values.

    Original's fingerprint comes last: it changes with every setting that Original shares with the run, and says less.
    """
    for key in sorted(old.keys() | new.keys(), key=lambda key: (key == ORIGINAL, key)):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            if inner := difference(before, after, f"{prefix}{key}."):
                return inner
        elif before != after:
            return f"{prefix}{key} was {before!r}, is {after!r}"
    return ""


def checked(study: Study, run: Run, name: str) -> Path:
    """Return the path of a run's file after checking it against the digest in ``run.json``."""
    path = paths.run(run.pool_path) / name
    content = record(study, run)
    expected = content["sha256"].get(name)
    if not path.is_file():
        remedy = "run snakemake again"
        if name == paths.MODEL:  # which the workflow keeps of few runs
            remedy = f"'python -m benchmark run {study.name} {run.name} --weights' makes it"
        raise StaleOutput(f"{path} is missing: {remedy}")
    if sha256(path) != expected:  # or the record has none, as of weights that were not to be kept
        # A run that is being repeated removes its record before it writes anything else: then nothing is damaged.
        if record(study, run) != content:
            raise StaleOutput(f"{path} is being made again: wait for {run.name} to end")
        raise DamagedFile(path, f"it is not what {run.name} wrote")
    return path


def finished(study: Study, run: Run) -> str | None:
    """Return a run's status if its record, samples and history are intact, otherwise None."""
    try:
        content = record(study, run)
        for name in (SAMPLES, HISTORY):
            checked(study, run, name)
    except StaleOutput:
        return None
    return str(content["status"])


def frame(study: Study, run: Run, name: str) -> pd.DataFrame:
    """Return ``samples.parquet`` or ``history.parquet`` of a run; raise as `checked` does."""
    table: pd.DataFrame = read_table(checked(study, run, name)).to_pandas()
    return table


def forget_rows(study: Study, run: Run, scenario: str | None = None) -> pd.DataFrame:
    """Return what a run forgets, columns ``split, index, stage``; for Original, the scenario must be given."""
    return split_rows(study, study.split_of(run, scenario))


def split_rows(study: Study, split: Split) -> pd.DataFrame:
    """Return the rows of a split; raise `OtherData` if it was drawn for other images than are on disk."""
    path = paths.split(split.pool_path)
    if not path.is_file():
        command = f"python -m benchmark split {study.name} {split.dataset} {split.scenario} {split.trial}"
        raise StaleOutput(f"{path} is missing: run snakemake, or '{command}', which draws it")
    rows = read_split(path, split.origin)
    drawn_for = written_origin(path).get("images")
    on_disk = store.content_digest_if_known(study.dataset_folder(split.dataset))
    if drawn_for and on_disk and drawn_for != on_disk:
        raise OtherData(study, path, f"it was drawn for other images ({drawn_for}) than there are now ({on_disk})")
    return rows


def classes(study: Study, dataset: str) -> list[str]:
    """Return a dataset's class names in the order of its labels: from a split or, without one, from its images."""
    for split in study.all_splits:
        if split.dataset == dataset and (names := written_origin(paths.split(split.pool_path)).get("classes")):
            return list(names)
    return list(store.record(study.dataset_folder(dataset))["classes"])


def derived(file: Derived) -> pd.DataFrame:
    """Return a derived file of a run, such as its maps; see `benchmark.features.embed` for the columns.

    One made from other weights than the run has now is damaged: the run was made again since, and came out otherwise.
    """
    path = paths.derived(file.pool_path)
    frame = read_parquet(path, file.origin)
    if is_of_other_weights(file):
        raise DamagedFile(path, f"it was made from other weights than {file.run.name} has now")
    return frame


def is_of_other_weights(file: Derived) -> bool:
    """Whether a derived file was made from other weights than its run has now, as far as both say from which."""
    made_from = written_origin(paths.derived(file.pool_path)).get("weights")  # earlier versions do not say
    run_file = paths.run(file.run.pool_path) / RUN
    if not (made_from and run_file.is_file()):
        return False
    return bool(made_from != read_record(run_file)["sha256"].get(paths.MODEL, made_from))
