"""The two sides of a comparison: a study's results as they stand here, in another folder, or in a commit."""

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
from benchmark.names import KEYS, RETRAIN, MethodName, RunName
from benchmark.results import frames
from benchmark.results.published import committed
from benchmark.results.records import is_there
from benchmark.study.runs import SHORT
from benchmark.study.study import Study

REVISION = r"[\w.][\w./~^@{}+-]*"


@dataclass(frozen=True)
class Side:
    """One of two results that are compared.

    Attributes
    ----------
    name : as it was typed, with the study.
    rows : of runs, as `benchmark.results.measured.metrics` has them, and ``samples``: a digest of what a run says of
        its samples, where the run itself was read.
    """

    name: str
    rows: pd.DataFrame

    def only(self, method: str, shown: str) -> Side:
        """Return the rows of one method, under the name ``shown``, and those of Retrain."""
        mine = self.rows["method"] == str(MethodName.parse(method))
        if not mine.any():
            raise unknown("method", method, set(self.rows["method"]), self.name)
        kept = self.rows[mine].assign(method=shown)
        return Side(
            f"{method}, {self.name}", pd.concat([kept, self.rows[self.rows["method"] == RETRAIN]], ignore_index=True)
        )


def read_sides(first: str, second: str) -> tuple[Side, Side]:
    """Return both sides; where the second names a place alone, it is the study of the first there."""
    study, place = _parts(first)
    if not study:
        raise BadInput(f"{first!r}: accepted first is STUDY, STUDY@COMMIT or STUDY@FOLDER")
    other, where = _parts(second)
    return read_side(study, place), read_side(other or study, where)


def within(study: str, first: str, second: str) -> tuple[Side, Side]:
    """Return two methods of one study as sides, under a name in common."""
    side = read_side(*_parts(study))
    return side.only(first, f"{second} − {first}"), side.only(second, f"{second} − {first}")


def _parts(text: str) -> tuple[str, str]:
    """Return the study and the place that a side names; a folder alone, or ``@PLACE``, names no study."""
    if "@" not in text and ("/" in text or text in (".", "..")):
        return "", text
    study, _, place = text.partition("@")
    return study, place


def read_side(study: str, place: str = "") -> Side:
    """Return a study's rows: as they stand here or, where a place is given, in that folder or commit.

    Raises `BadInput` if there is no such study, folder or commit, or it has none of the study's results.
    """
    name = f"{study}@{place}" if place else study
    if not place:
        rows = _rows(Study.load(study))
    elif Path(place).is_dir():
        rows = _elsewhere(study, Path(place))
    else:
        rows = _in_commit(study, place)
    if rows.empty:
        raise BadInput(f"{name}: no run of study {study!r} there")
    return Side(name, rows if "samples" in rows else rows.assign(samples=None))


def _in_commit(study: str, revision: str) -> pd.DataFrame:
    path = paths.collected(study, "metrics")
    try:
        rows = committed(path, revision) if re.fullmatch(REVISION, revision) else None
    except BadInput:
        rows = None
    if rows is None:
        raise BadInput(f"{study}@{revision}: neither a folder here nor a commit that has {path}")
    return rows


def _elsewhere(study: str, folder: Path) -> pd.DataFrame:
    """Read a folder's results in a process of its own: its study may have plugins, and paths are those of its top."""
    root = folder.resolve()
    if (root / paths.RUNS.name).is_dir():  # a folder of results
        root = root.parent
    if not (root / paths.RESULTS).is_dir():
        raise BadInput(f"{study}@{folder}: no results there: accepted is another checkout, or its folder results")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_of_folder, study, root).result()


def _of_folder(name: str, root: Path) -> pd.DataFrame:
    """Return a study's rows in a folder: of its own form or, where it has none, of the form that it has here."""
    try:
        study = None if (root / paths.study_file(name)).is_file() else Study.load(name)
        with contextlib.chdir(root):
            sys.path.insert(0, str(root))
            return _rows(study or Study.load(name))
    except BadInput as error:  # whose kinds do not all travel between processes
        raise BadInput(f"{root}: {error}") from None


def _rows(study: Study) -> pd.DataFrame:
    """Return a study's rows: of its runs or, where not all of them are here, as they were gathered if that is more."""
    runs = study.runs()
    here = sum(map(is_there, runs))
    if here < len(runs):
        with contextlib.suppress(StaleOutput):
            gathered = frames.gathered_frame(study.name, "metrics")
            if not here or len({run.fingerprint for run in runs} & {*gathered["fingerprint"]}) > here:
                return gathered
    rows = frames.of_study(study, partial=True).metrics
    if rows.empty:
        return rows
    files = [
        paths.run(f"{RunName.of_row(*row)}-{fingerprint[:SHORT]}") / paths.SAMPLES
        for *row, fingerprint in rows[[*KEYS, "fingerprint"]].itertuples(index=False)
    ]
    return rows.assign(samples=[written_digest(file) for file in files])
