"""Files that no study has: runs with changed settings or of removed studies, checkpoints of such, prepared images."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmark import paths
from benchmark.data import store
from benchmark.errors import BadInput
from benchmark.files import files_below
from benchmark.study.kinds import DERIVED
from benchmark.study.study import Study
from benchmark.study.tuning import can_be_tuned
from benchmark.workflow.targets import RUN_PATH


def unused(remove: bool = False) -> str:
    """Return a line for each file that no study in ``config/`` has, after deleting them if ``remove``.

    Raises `BadInput` if there is no study at all, or if one cannot be read.
    """
    # A name that begins with a dot is that of a file being written; one that was set aside goes on after `.parquet`.
    files = {path for kind in ("splits", *DERIVED) for path in files_below(paths.RESULTS / kind, "[!.]*.parquet*")}
    runs = {path.parent for path in files_below(paths.RUNS, paths.RUN)}
    prepared = {path.parent for path in paths.DATA.glob(f"*/{store.PROVENANCE}")}
    damaged = {path for top in (paths.RUNS, paths.DATA) for path in top.rglob("*.damaged*")}
    if not (studies := paths.studies()):
        raise BadInput(f"{paths.CONFIG}: no study there, so that all results would count as unused: accepted is one")
    shown = used(*studies)
    unfinished = [path for path, run in _unfinished() if run not in shown]
    unshown = sorted((runs | files | prepared) - shown) + unfinished
    unshown += sorted(path for path in damaged if not set(path.parents) & set(unshown))
    size = sum(file.stat().st_size for path in unshown for file in [path, *path.rglob("*")] if file.is_file())
    for path in unshown if remove else ():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if not unshown:
        return "nothing in results/ and data/ is unused"
    end = "deleted" if remove else "used by no study; --remove deletes them"
    return "\n".join([*map(str, unshown), f"{len(unshown)} ({size / 1e6:.1f} MB): {end}"])


def _unfinished() -> Iterator[tuple[Path, Path]]:
    """Yield folders with a checkpoint, and weights that a run has left to be moved, each with the folder of its run."""
    work = paths.work("")
    for path in [file.parent for file in files_below(work, paths.CHECKPOINT)] + files_below(work, "*.safetensors"):
        pool_path = path.relative_to(work).as_posix().removesuffix(".safetensors")
        if re.fullmatch(RUN_PATH, pool_path):
            yield path, paths.run(pool_path)


def used(*studies: str) -> set[Path]:
    """Return all runs, files and images that a study shows, leaves out by ``only``, or tunes with.

    Raises `BadInput` if one cannot be read.
    """
    shown: set[Path] = set()
    for name in studies:
        study = Study.load(name)
        versions = [study, study.untuned]
        if can_be_tuned(study):
            versions.append(Study.to_tune(study.untuned))
        if study.only is not None:
            with suppress(BadInput):  # what it leaves out need not fit the study
                versions.append(Study.to_tune(study.untuned.whole))
        for version in versions:
            shown |= version.pool_files() | set(map(version.dataset_folder, version.datasets))
    return shown
