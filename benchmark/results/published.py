"""Published results: those in git of a study declared published. They are never replaced silently."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput, number_of
from benchmark.metrics.evidence import of_runs_in
from benchmark.metrics.samples import METRICS
from benchmark.names import RUN_KEYS, RunName
from benchmark.results.frames import Results
from benchmark.study.study import Study

UNKNOWN, FATAL = 1, 128  # git's exit status for a commit that does not exist, and when it cannot answer
REPLACE = "to replace them: snakemake ... --config replace=yes, or '--replace' of the command"
SAME = 1e-6  # points; the same numbers written twice may differ by this


def check(study: Study, metrics: pd.DataFrame) -> None:
    """Raise `BadInput` if a study's metrics, about to be gathered, differ from the committed ones."""
    path = paths.gathered(study.name, "metrics")
    before = committed(path)
    if before is not None and (problem := difference(before, metrics)):
        raise BadInput(f"{path} is published and comes out otherwise now: {problem}; {REPLACE}")


def check_shown(study: Study, name: str, results: Results) -> None:
    """Raise `BadInput` if a table or figure shows published results that are different now."""
    kind = study.kind_of(name)
    path = paths.gathered(study.name, "metrics")
    if not kind.shows_results or kind.from_gathered or (before := committed(path)) is None or results.metrics.empty:
        return
    now = results.metrics
    if problem := difference(before[of_runs_in(before, now)], now[of_runs_in(now, before)]):
        raise BadInput(f"{name} would show other results than are published in {path}: {problem}; {REPLACE}")


def committed(path: Path, revision: str = "HEAD") -> pd.DataFrame | None:
    """Return the parquet file as of a commit; None if there is no git checkout or commit, or no file in it.

    Raises `BadInput` if git fails, as in a clone that lacks the content, or if the content cannot be read.
    """
    head = _git("rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}")
    if head.returncode == UNKNOWN or b"not a git repository" in head.stderr:
        return None
    if not _answer(path, "ls-tree", revision, path.as_posix()):
        return None
    content = _answer(path, "show", f"{revision}:./{path.as_posix()}")
    try:
        return pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: what is committed cannot be read: {error}") from None


def _answer(path: Path, *arguments: str) -> bytes:
    done = _git(*arguments)
    if done.returncode:
        raise BadInput(f"{path}: git cannot say what it was: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, env=os.environ | {"LC_ALL": "C"})
    except FileNotFoundError:
        reason = b"it is not installed" if Path(".git").exists() else b"not a git repository"
        return subprocess.CompletedProcess(arguments, FATAL, b"", reason)


def difference(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """Describe how two frames of runs differ in their runs, configurations or metrics; return "" if they do not.

    When, where and how fast they ran does not count.
    """
    old, new = (frame.set_index(RUN_KEYS)[["fingerprint", *METRICS]].sort_index() for frame in (before, after))
    for change, names in (("lacking", old.index.difference(new.index)), ("added", new.index.difference(old.index))):
        if len(names):
            return f"{number_of(len(names), 'run')} {change}, such as {RunName.of_row(*names[0])}"
    other = old["fingerprint"] != new["fingerprint"]
    if other.any():
        return f"{number_of(other.sum(), 'run')} of another configuration, such as {RunName.of_row(*other.idxmax())}"
    first, second = (frame[METRICS].to_numpy(dtype=float) for frame in (old, new))
    moved = ~np.isclose(first, second, rtol=0, atol=SAME, equal_nan=True)
    if moved.any():
        row, column = (int(indices[0]) for indices in np.nonzero(moved))
        number = f"{METRICS[column]} of {RunName.of_row(*old.index[row])}"
        values = f"was {first[row, column]:.4f}, is {second[row, column]:.4f}"
        return f"{number_of(moved.any(axis=1).sum(), 'run')} with other metrics: {number} {values}"
    return ""
