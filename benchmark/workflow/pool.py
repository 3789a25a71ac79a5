"""The pieces in a pool of runs, here or in another checkout, read and verified without a study."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.errors import DamagedFile, StaleOutput
from benchmark.files import digest, files_below, read_parquet, read_record, sha256, written_digest, written_origin
from benchmark.paths import HISTORY, MODEL, RUN, SAMPLES
from benchmark.study.kinds import DERIVED
from benchmark.study.runs import SHORT
from benchmark.workflow.targets import DERIVED_PATH, RUN_PATH, SPLIT_PATH


@dataclass(frozen=True)
class Piece:
    """The content of one path in a pool: a run, a split, or a file derived from a run.

    Attributes
    ----------
    path : a run's folder, or the file.
    relative_path : the same, within the folder of results.
    content : a digest of a run's samples, or of the rows of the file.
    key : what names it in ``made_from`` of others: the fingerprint of a run, the content of a split.
    made_from : the keys of the pieces that it was made from.
    record : the record of a run.
    """

    path: Path
    relative_path: str
    content: str
    key: str = ""
    made_from: frozenset[str] = frozenset()
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The folder of results that holds it, such as ``runs``."""
        return self.relative_path.split("/")[0]

    def __str__(self) -> str:
        return str(self.record.get("run", self.relative_path))


def pieces(results: Path, report: Callable[[str, str], None]) -> Iterator[Piece]:
    """Yield the pieces of a pool, verified: splits, Originals, other runs, then what is derived from runs.

    ``report`` is called with the relative path of each damaged piece, and the reason.
    """
    runs = [path.parent for path in files_below(results / paths.RUNS.name, RUN)]
    files = [file for kind in DERIVED for file in files_below(results / kind, "*.parquet")]
    for read, pattern, candidates in (
        (_file, f"splits/{SPLIT_PATH}", files_below(results / paths.SPLITS.name, "*.parquet")),
        (_run, f"runs/{RUN_PATH}", sorted(runs, key=lambda run: run.parent.name != "original")),
        (_file, DERIVED_PATH, files),
    ):
        for path in candidates:
            relative_path = path.relative_to(results).as_posix()
            if re.fullmatch(pattern, relative_path.removesuffix(".parquet")):
                try:
                    yield read(path, relative_path)
                except StaleOutput as error:
                    report(relative_path, str(error))


def without_record(results: Path) -> list[Path]:
    """Return the folders of runs that have samples but no record, as a copy that was cut off leaves them."""
    folders = [file.parent for file in files_below(results / paths.RUNS.name, SAMPLES)]
    named = [folder for folder in folders if re.fullmatch(f"runs/{RUN_PATH}", folder.relative_to(results).as_posix())]
    return [folder for folder in named if not (folder / RUN).is_file()]


def _run(folder: Path, relative_path: str) -> Piece:
    """Read a run and verify every file of it."""
    record = read_record(folder / RUN)
    try:
        fingerprint, digests, name = record["fingerprint"], record["sha256"], record["slice"]["run"]
        if fingerprint != digest(record["slice"]) or relative_path != f"runs/{name}-{fingerprint[:SHORT]}":
            raise DamagedFile(folder / RUN, "it belongs to another path")
        for file in (folder / name for name in (SAMPLES, HISTORY, MODEL)):
            if sha256(file) != digests[file.name] if file.is_file() else file.name != MODEL:
                raise DamagedFile(file, f"it is not what {record['run']} wrote")
        made_from = frozenset(filter(None, (record["slice"].get("original"), record.get("split"))))
        # Not of the other files, whose clock times never agree.
        content = written_digest(folder / SAMPLES) or digests[SAMPLES]
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedFile(folder / RUN, repr(error)) from None
    return Piece(folder, relative_path, content, fingerprint, made_from, record)


def _file(path: Path, relative_path: str) -> Piece:
    read_parquet(path)
    content = written_digest(path) or sha256(path)
    run = written_origin(path).get("run")
    return Piece(path, relative_path, content, content, frozenset([run] if isinstance(run, str) else []))


def piece_at(results: Path, relative_path: str) -> Piece | None:
    """Return the piece at a path within the folder of results, or None; a run that lacks a file counts as not done."""
    path = results / relative_path
    if relative_path.startswith("runs/"):
        return _run(path, relative_path) if all((path / name).is_file() for name in (RUN, SAMPLES, HISTORY)) else None
    return _file(path, relative_path) if path.is_file() else None
