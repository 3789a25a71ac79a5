"""What runs have left on disk, read back as data frames: no torch, no training, no plotting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from benchmark import paths
from benchmark.data import store
from benchmark.data.splits import read_split
from benchmark.errors import StaleOutput
from benchmark.files import Damaged, read_parquet, read_record, set_aside, sha256, written_digest
from benchmark.names import ORIGINAL
from benchmark.paths import HISTORY, MODEL, RUN, SAMPLES
from benchmark.study import prepare
from benchmark.study.runs import Derived, Run
from benchmark.study.study import Study

FINISHED, DIVERGED = "finished", "diverged"


def record(study: Study, run: Run, look: bool = False) -> dict[str, Any]:
    """Return a finished run's ``run.json``.

    Parameters
    ----------
    look : leave everything where it is.

    Raises
    ------
    StaleOutput
        If it is missing or damaged, if it belongs to another configuration than the study's, or if it was made from
        other images or another split than the ones on disk: what differs is named. A damaged one or one of other data
        is set aside, so that the next run of the workflow makes it again; one of another configuration stays, since it
        may be wanted when the study is changed back.
    """
    path = paths.run(study.name, run.name) / RUN
    try:
        found = read_record(path)
        told = found["slice"], found["fingerprint"]
        if found.get("run", str(run.name)) != str(run.name):
            raise Damaged(f"it is the record of {found['run']}")
    except FileNotFoundError:
        raise StaleOutput(f"{path} is missing: {run.name} has not been run") from None
    except (ValueError, KeyError, TypeError) as error:
        moved = "" if look else f"set aside as {set_aside(path)}; "
        raise StaleOutput(f"{path} is damaged ({error!r}): {moved}run snakemake again") from None
    if told[1] != run.fingerprint:
        raise StaleOutput(f"{path} is of another configuration ({difference(told[0], run.slice)}): run snakemake again")
    if other := _other_data(study, run, found):
        moved = "" if look else f"; it was set aside as {set_aside(path, 'other')}"
        raise StaleOutput(f"{path}: {other}{moved}: run snakemake again")
    return found


def _other_data(study: Study, run: Run, told: dict[str, Any]) -> str:
    """Say which data a record is of, if it is not what is on disk now. What is not on disk cannot be compared."""
    made_from = {"images": told.get("stamp", {}).get("data"), "split": told.get("split")}
    on_disk = {"images": store.content_hash_if_known(study.dataset_folder(run.name.dataset)), "split": None}
    if made_from["split"]:
        on_disk["split"] = written_digest(study.split_file(run))
    for what, made in made_from.items():
        if made and on_disk[what] and made != on_disk[what]:
            return f"{run.name} was made from other {what} ({made}) than there are now ({on_disk[what]})"
    return ""


def difference(old: dict[str, Any], new: dict[str, Any], place: str = "") -> str:
    """Name the first key in which two slices differ, with both values.

    Original's fingerprint comes last: it changes with whatever Original shares with the run, and says less.
    """
    for key in sorted(old.keys() | new.keys(), key=lambda key: (key == ORIGINAL, key)):
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            if inner := difference(before, now, f"{place}{key}."):
                return inner
        elif before != now:
            return f"{place}{key} was {before!r}, is {now!r}"
    return ""


def checked(study: Study, run: Run, name: str) -> Path:
    """Return the path of a run's file, after comparing it with the digest in ``run.json``.

    Raises
    ------
    StaleOutput
        As `record` does, or if the file is missing or was changed; a changed one is set aside under another name, so
        that the next run of the workflow makes it again.
    """
    path = paths.run(study.name, run.name) / name
    told = record(study, run)
    expected = told["sha256"].get(name)
    if not path.is_file() or expected is None:
        raise StaleOutput(f"{path} is missing: run snakemake again")
    if sha256(path) != expected:
        # A run that is being done again removes its record before it writes anything else: then nothing is damaged.
        if record(study, run) != told:
            raise StaleOutput(f"{path} is being made again: wait for {run.name} to end")
        raise StaleOutput(
            f"{path} is not what {run.name} wrote; it was set aside as {set_aside(path)}: run snakemake again"
        )
    return path


def is_there(study: Study, run: Run) -> bool:
    """Whether a run's record lies on disk, whatever its state."""
    return (paths.run(study.name, run.name) / RUN).is_file()


def finished(study: Study, run: Run) -> str | None:
    """Return how a run ended, if its files are all there and whole; else None."""
    try:
        told = record(study, run)
        for name in [SAMPLES, HISTORY, *([MODEL] if run.name in study.kept else [])]:
            checked(study, run, name)
    except StaleOutput:
        return None
    return str(told["status"])


def frame(study: Study, run: Run, name: str) -> pd.DataFrame:
    """Return ``samples.parquet`` or ``history.parquet`` of a run; raise `StaleOutput` as `checked` does."""
    return pd.read_parquet(checked(study, run, name))


def forget(study: Study, run: Run, scenario: str | None = None) -> pd.DataFrame:
    """Return what a run forgets, columns ``split``, ``index``, ``stage``; Original needs to be told the scenario."""
    origin = prepare.split_origin(study, run.name.dataset, scenario or run.name.scenario, run.split_trial)
    path = study.split_file(run, scenario)
    try:
        return read_split(path, origin)
    except StaleOutput as error:
        if path.exists() or not path.with_name(f"{path.name}.damaged").exists():
            raise
        # At once, since all runs seem to be in need of being done again where it is missing. It comes out the same.
        prepare.split(study, run.name.dataset, origin["scenario"], origin["trial"])
        raise StaleOutput(f"{error}. It has now been drawn again") from None


def classes(study: Study, dataset: str) -> list[str]:
    """Return the class names of a prepared dataset, in the order of its labels."""
    with prepare.mending(study, dataset):
        return list(store.facts(study.dataset_folder(dataset))["classes"])


def derived(study: Study, one: Derived) -> pd.DataFrame:
    """Return what was made from a run's features, such as its maps; see `benchmark.features.embed` for the columns.

    Raises
    ------
    StaleOutput
        If it is missing, damaged or of another configuration; what cannot be used is set aside.
    """
    path = paths.derived(study.name, one)
    try:
        return read_parquet(path, study.derived_origin(one))
    except FileNotFoundError:
        raise StaleOutput(f"{path} is missing: run snakemake again") from None
    except Damaged as error:
        raise StaleOutput(f"{path} is damaged ({error}): set aside as {set_aside(path)}; run snakemake again") from None
