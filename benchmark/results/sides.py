"""The two sides of a comparison: a study's results in this folder, in another one, or in a commit."""

from __future__ import annotations

import contextlib
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput, unknown
from benchmark.files import written_digest
from benchmark.names import RETRAIN, MethodName
from benchmark.results import frames
from benchmark.results.published import committed
from benchmark.results.records import is_there
from benchmark.study.study import Study

REVISION = r"[\w.][\w./~^@{}+-]*"


@dataclass(frozen=True)
class Side:
    """One of two results that are compared.

    ``name`` is as typed, with the study. ``rows`` are as in `benchmark.results.measured.metrics`, with ``samples``: a
    digest of a run's outputs on its samples, where the run itself was read.
    """

    name: str
    rows: pd.DataFrame

    def only(self, method: str, name: str) -> Side:
        """Return the rows of one method, renamed to ``name``, and those of Retrain."""
        of_method = self.rows["method"] == str(MethodName.parse(method))
        if not of_method.any():
            raise unknown("method", method, set(self.rows["method"]), self.name)
        retrain_rows = self.rows[self.rows["method"] == RETRAIN]
        rows = pd.concat([self.rows[of_method].assign(method=name), retrain_rows], ignore_index=True)
        return Side(f"{method}, {self.name}", rows)


def read_sides(first: str, second: str) -> tuple[Side, Side]:
    """Return both sides; if the second names a commit or folder only, it is the first's study there."""
    study, source = _parts(first)
    if not study:
        raise BadInput(f"{first!r}: accepted first is STUDY, STUDY@COMMIT or STUDY@FOLDER")
    other_study, other_source = _parts(second)
    return read_side(study, source), read_side(other_study or study, other_source)


def within(study: str, first: str, second: str) -> tuple[Side, Side]:
    """Return two methods of a study as sides, under a common name."""
    side = read_side(*_parts(study))
    return side.only(first, f"{second} − {first}"), side.only(second, f"{second} − {first}")


def _parts(text: str) -> tuple[str, str]:
    """Return the study and the commit or folder that a side names; a folder alone, or ``@COMMIT``, names no study."""
    if "@" not in text and ("/" in text or text in (".", "..")):
        return "", text
    study, _, source = text.partition("@")
    return study, source


def read_side(study: str, source: str) -> Side:
    """Return a study's rows from the folder or commit ``source``, or from this folder if it is empty.

    Raises `BadInput` if there is no such study, folder or commit, or it has none of the study's results.
    """
    name = f"{study}@{source}" if source else study
    if not source:
        rows = _rows(Study.load(study))
    elif Path(source).is_dir():
        rows = _in_folder(study, Path(source))
    else:
        rows = _in_commit(study, source)
    if rows.empty:
        raise BadInput(f"{name}: study {study!r} has no finished run there")
    return Side(name, rows if "samples" in rows else rows.assign(samples=None))


def _in_commit(study: str, revision: str) -> pd.DataFrame:
    path = paths.gathered(study, "metrics")
    rows = committed(path, revision) if re.fullmatch(REVISION, revision) else None
    if rows is None:
        raise BadInput(f"{study}@{revision}: neither a folder here nor a commit that has {path}")
    return rows


def _in_folder(study: str, folder: Path) -> pd.DataFrame:
    """Read a folder's results in a separate process: its study may have plugins, and paths are relative to its root."""
    root = folder.resolve()
    if (root / paths.RUNS.name).is_dir():  # a folder of results
        root = root.parent
    if not (root / paths.RESULTS).is_dir():
        raise BadInput(f"{study}@{folder}: no results there: accepted is another checkout, or its folder results")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_read_folder, study, root).result()


def _read_folder(name: str, root: Path) -> pd.DataFrame:
    """Return a study's rows in a folder, by the study file there or, without one, the study file here."""
    try:
        study = None if (root / paths.study_file(name)).is_file() else Study.load(name)
        with contextlib.chdir(root):
            sys.path.insert(0, str(root))
            return _rows(study or Study.load(name))
    except BadInput as error:  # not every subclass can be passed between processes
        raise BadInput(f"{root}: {error}") from None


def _rows(study: Study) -> pd.DataFrame:
    """Return a study's rows from its runs or, if not all are here, from the gathered results if these have more."""
    runs = study.runs()
    finished = sum(map(is_there, runs))
    if finished < len(runs):
        with contextlib.suppress(StaleOutput):
            gathered = frames.gathered_frame(study.name, "metrics")
            # The study may have changed since.
            gathered = gathered[gathered["fingerprint"].isin({run.fingerprint for run in runs})]
            if gathered["fingerprint"].nunique() > finished:
                return gathered
    rows = frames.of_study(study, partial=True).metrics
    if rows.empty:
        return rows
    digests = {run.fingerprint: written_digest(paths.run(run.pool_path) / paths.SAMPLES) for run in runs}
    return rows.assign(samples=rows["fingerprint"].map(digests))
