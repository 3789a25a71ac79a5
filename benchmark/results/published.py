"""Published results: those of a study that says so, as they are in git. They are not replaced in silence."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.metrics.gaps import METRICS
from benchmark.names import KEYS
from benchmark.results.frames import Results
from benchmark.study.study import Study

FATAL = 128  # what git returns where it can say nothing
REPLACE = "to replace them: snakemake ... --config replace=yes, or '--replace' of the command"
SAME = 1e-6  # points: the same numbers written twice


def keep(study: Study, metrics: pd.DataFrame) -> None:
    """Raise `BadInput` if a study's metrics, as they are about to be gathered, are not the ones that are committed."""
    path = paths.collected(study.name, "metrics")
    before = committed(path)
    if before is not None and (what := difference(before, metrics)):
        restore = "'git restore results' brings the published results back"
        raise BadInput(f"{path} is published and comes out otherwise now: {what}. {restore}; {REPLACE}")


def keep_shown(study: Study, name: str, results: Results) -> None:
    """Raise `BadInput` if results that a table or figure shows are published and come out otherwise now."""
    kind = study.kind_of(name)
    path = paths.collected(study.name, "metrics")
    if not kind.results or kind.gathered or (before := committed(path)) is None or results.metrics.empty:
        return
    old, new = (pd.MultiIndex.from_frame(frame[KEYS]) for frame in (before, results.metrics))
    if what := difference(before[old.isin(new)], results.metrics[new.isin(old)]):
        raise BadInput(f"{name} would show other results than are published in {path}: {what}; {REPLACE}")


def committed(path: Path, revision: str = "HEAD") -> pd.DataFrame | None:
    """Return the parquet file as a commit has it; None where there is no git checkout or it is not in that commit.

    Raises `BadInput` if git cannot say, or what is committed cannot be read.
    """
    head = _git("rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}")
    if head.returncode == FATAL and b"not a git repository" not in head.stderr:
        raise BadInput(f"{path} is published, and git cannot say what it was: {head.stderr.decode().strip()}")
    shown = _git("show", f"{revision}:./{path.as_posix()}")
    if head.returncode or shown.returncode:
        return None
    try:
        return pd.read_parquet(io.BytesIO(shown.stdout))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is published, and what is committed cannot be read: {error}") from None


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, env=os.environ | {"LC_ALL": "C"})
    except FileNotFoundError:
        reason = b"it is not installed" if Path(".git").exists() else b"not a git repository"
        return subprocess.CompletedProcess(arguments, FATAL, b"", reason)


def difference(before: pd.DataFrame, now: pd.DataFrame) -> str:
    """Say in what two frames of runs differ: which runs there are, their configuration, their metrics; else nothing.

    When, where and how fast they were run is no difference.
    """
    old, new = (frame.set_index(KEYS)[["fingerprint", *METRICS]].sort_index() for frame in (before, now))
    for what, only in (("are gone", old.index.difference(new.index)), ("are new", new.index.difference(old.index))):
        if len(only):
            return f"{len(only)} runs {what}, such as {_name(only[0])}"
    other = old["fingerprint"] != new["fingerprint"]
    if other.any():
        return f"{other.sum()} runs are of another configuration, such as {_name(other.idxmax())}"
    first, second = (frame[METRICS].to_numpy(dtype=float) for frame in (old, new))
    moved = ~np.isclose(first, second, rtol=0, atol=SAME, equal_nan=True)
    if moved.any():
        row, column = (int(place[0]) for place in np.nonzero(moved))
        what = f"{METRICS[column]} of {_name(old.index[row])}"
        values = f"was {first[row, column]:.4f}, is {second[row, column]:.4f}"
        return f"{moved.any(axis=1).sum()} runs have other metrics: {what} {values}"
    return ""


def _name(run: tuple[object, ...]) -> str:
    return "/".join(str(part) for part in run[:-1] if part) + f"/trial-{run[-1]}"
