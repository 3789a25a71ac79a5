"""Merging of runs from other checkouts and machines into this pool, with their splits and derived files.

A path in a pool names all that determines its content, so equal paths should hold equal content. Where they do not,
as between two kinds of processor or two versions of the code, nothing is taken until the user decides.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark import paths
from benchmark.data import store
from benchmark.errors import BadInput, number_of, some_of
from benchmark.files import locked, replacing, sha256, written_origin
from benchmark.names import RunName
from benchmark.paths import HISTORY, MODEL, RUN, SAMPLES
from benchmark.registry import WORD
from benchmark.study.runs import SHORT
from benchmark.workflow.pool import Piece, piece_at, pieces, without_record
from benchmark.workflow.unused import used

LEFT_OUT = "not looked at: checkpoints, logs, journals of tune, and what snakemake gathers and draws here"


@dataclass
class Merge:
    """The plan of a merge: pieces by their paths in the pool that they go to.

    Attributes
    ----------
    added, beside : pieces that go into this pool, or beside it since they, or what they were made from, differ.
    weights : runs whose weights are taken, since this pool has the runs without them.
    already_here, already_beside : how many runs are there already.
    unequal : pairs of a piece that is here and an incoming one, of one path, with unequal content.
    damaged : why pieces cannot be taken, a line each.
    """

    added: dict[str, Piece] = field(default_factory=dict)
    beside: dict[str, Piece] = field(default_factory=dict)
    weights: dict[str, Piece] = field(default_factory=dict)
    already_here: int = 0
    already_beside: int = 0
    unequal: list[tuple[Piece, Piece]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def merge(folders: Sequence[Path], beside: str = "", dry_run: bool = False) -> tuple[str, bool]:
    """Merge other pools into this one; return a report, and whether all of their pieces could be read.

    Everything is verified and compared before anything is copied. Nothing here is overwritten, and an interrupted copy
    leaves nothing that counts as a run. Raises `BadInput` if a folder has no results; or if pieces are here with other
    content, which are all named.

    Parameters
    ----------
    folders : checkouts, or their folders of results.
    beside : a name. Pieces that are here with other content, and those made from them, go to ``results/others/<name>``.
    """
    if beside and (not re.fullmatch(WORD, beside) or len(folders) > 1):
        accepted = "lower-case letters, digits and hyphens, for the conflicts of one folder"
        raise BadInput(f"--keep-both {beside!r} with {len(folders)} folders: accepted is {accepted}")
    plan, other = Merge(), paths.others(beside) / paths.RESULTS if beside else None
    for results in {pool.resolve(): pool for pool in map(_results, folders)}.values():  # each once
        _plan(plan, results, other)
    if plan.unequal:
        raise _conflict(plan, other)
    if not dry_run:
        for piece in plan.added.values():
            _add(piece)
        for piece in plan.beside.values():
            _copy(piece, (other or paths.RESULTS) / piece.relative_path)
        for piece in plan.weights.values():
            _copy_file(piece.path / MODEL, paths.RESULTS / piece.relative_path / MODEL, piece.record["sha256"][MODEL])
    return "\n".join(_report(plan, other, folders, dry_run)), not plan.damaged


def _results(folder: Path) -> Path:
    """Return the folder of results of a checkout, or the folder itself if it is one."""
    for results in (folder / paths.RESULTS, folder):
        if (results / paths.RUNS.name).is_dir():
            if paths.RESULTS.is_dir() and results.samefile(paths.RESULTS):
                raise BadInput(f"{folder}: that is this pool; accepted is another one")
            return results
    raise BadInput(f"{folder}: no runs there: accepted is another checkout, or its folder {paths.RESULTS}")


def _plan(plan: Merge, results: Path, other: Path | None) -> None:
    """Add another pool's pieces to the plan; pieces come before those made from them."""
    aside: set[str] = set()  # the keys of pieces that go beside this pool
    refused: set[str] = set()  # the digits that end the paths of pieces not taken; runs name splits by content
    splits: list[Piece] = []
    plan.damaged += [f"{folder} has no {RUN}: copy it whole" for folder in without_record(results)]

    def refuse(relative_path: str, why: str) -> None:
        plan.damaged.append(why)
        refused.add(relative_path.removesuffix(".parquet").rpartition("-")[2])

    for piece in pieces(results, refuse):
        lacks_source = any(key[:SHORT] in refused for key in piece.made_from)
        if problem := f"{piece.path} was made from what is not taken" if lacks_source else _other_images(piece):
            refuse(piece.relative_path, problem)
            continue
        present = plan.added.get(piece.relative_path) or piece_at(paths.RESULTS, piece.relative_path)
        if present is not None and present.content == piece.content:
            plan.already_here += piece.kind == paths.RUNS.name
            if _lacks_weights(present, piece):
                plan.weights[piece.relative_path] = piece
        elif present is None and aside.isdisjoint(piece.made_from):
            plan.added[piece.relative_path] = piece
        elif other is not None:
            aside.add(piece.key)
            earlier = piece_at(other, piece.relative_path)
            if earlier is None:
                plan.beside[piece.relative_path] = piece
            elif earlier.content == piece.content:
                plan.already_beside += piece.kind == paths.RUNS.name
            else:
                plan.unequal.append((earlier, piece))
        elif present is not None:
            plan.unequal.append((present, piece))
        splits += [piece] * (piece.kind == paths.SPLITS.name)
    if other is not None and plan.beside:  # a pool of its own, in which runs can be measured
        plan.beside |= {split.relative_path: split for split in splits if not (other / split.relative_path).exists()}


def _other_images(piece: Piece) -> str:
    """Say if a run or split is of other images than are prepared here: the workflow would refuse it. Empty if not."""
    if piece.record:
        name, images = piece.record["run"].split("/")[0], piece.record["stamp"].get("data")
        folder = paths.dataset(name, piece.record["slice"]["dataset"]["provenance"])
    else:
        origin = written_origin(piece.path)
        name, images = piece.relative_path.split("/")[1], origin.get("images")
        folder = paths.DATA / str(origin.get("dataset"))
    prepared = store.content_digest_if_known(folder)
    if not images or not prepared or images == prepared:
        return ""
    return f"{piece.path} was made from other images of {name} ({images}) than are prepared here ({prepared})"


def _lacks_weights(present: Piece, incoming: Piece) -> bool:
    digests = [piece.record["sha256"].get(MODEL) for piece in (present, incoming) if piece.record]
    same = len(digests) == 2 and digests[0] is not None and digests[0] == digests[1]
    return same and (incoming.path / MODEL).is_file() and not (present.path / MODEL).is_file()


def _conflict(plan: Merge, other: Path | None) -> BadInput:
    """Return the error that names all unequal pieces, grouped by where both of them were made."""
    groups: dict[str, list[str]] = {}
    for present, incoming in plan.unequal:
        groups.setdefault(f"here {_made_by(present)}, there {_made_by(incoming)}", []).append(str(present))
    pairs = "; ".join(f"{makers}: {', '.join(names)}" for makers, names in groups.items())
    keep = "'--keep-both NAME' keeps theirs beside, in results/others/NAME"
    advice = keep if other is None else f"{other.parent} has others already: '--keep-both' needs another name"
    return BadInput(f"{len(plan.unequal)} of equal settings and unequal results: nothing was copied. {pairs}. {advice}")


def _made_by(piece: Piece) -> str:
    """Return the machine and the code that made a run; for other files the digest."""
    stamp = piece.record.get("stamp")
    if not stamp:
        return piece.content
    return f"{stamp.get('device')}, torch {stamp.get('torch')}, commit {stamp.get('commit')}"


# --- copies -----------------------------------------------------------------------------------------------------------


def _add(piece: Piece) -> None:
    """Copy a piece into this pool, unless a job here has finished the run since the plan was made."""
    target = paths.RESULTS / piece.relative_path
    with locked(paths.work(f"{piece.relative_path.partition('/')[2]}.lock")):
        if piece.record and piece_at(paths.RESULTS, piece.relative_path):  # a damaged run is replaced
            raise BadInput(f"{target} was finished here while others were copied: give the same command again")
        _copy(piece, target)


def _copy(piece: Piece, target: Path) -> None:
    """Copy a piece; a run's record comes last, since a folder without one is no run."""
    if not piece.record:
        return _copy_file(piece.path, target, sha256(piece.path))
    for name in (SAMPLES, HISTORY, MODEL):
        if (piece.path / name).is_file():
            _copy_file(piece.path / name, target / name, piece.record["sha256"][name])
    _copy_file(piece.path / RUN, target / RUN, sha256(piece.path / RUN))


def _copy_file(source: Path, target: Path, expected: str) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
        if sha256(temporary) != expected:
            raise BadInput(f"{source} has changed while it was copied: give the same command again")


# --- the report -------------------------------------------------------------------------------------------------------


def _report(plan: Merge, other: Path | None, folders: Sequence[Path], dry_run: bool) -> Iterator[str]:
    verb = "would be added" if dry_run else "added"
    yield f"{', '.join(map(str, folders))}: {_runs(plan.added)} {verb}, {plan.already_here} already here"
    yield from _listed(plan.added.values())
    if plan.weights:
        yield f"weights of {_runs(plan.weights)} already here without them"
    if other and (plan.beside or plan.already_beside):
        verb = "would be kept" if dry_run else "kept"
        yield f"{_runs(plan.beside)} {verb} beside, in {other.parent}, {plan.already_beside} there already"
        yield from _listed(plan.beside.values())
        yield f"  no table shows them; 'python -m benchmark compare STUDY {other.parent}' says how far they are apart"
    yield from _unknown(plan)
    yield from (f"not taken: {problem}" for problem in plan.damaged)
    yield LEFT_OUT


def _runs(pieces: dict[str, Piece]) -> str:
    return number_of(sum(bool(piece.record) for piece in pieces.values()), "run")


def _listed(pieces: Iterable[Piece]) -> Iterator[str]:
    """Yield the number of runs of each method and cell, and of other files of each kind."""
    cells: dict[str, Counter[str]] = {}
    files: Counter[str] = Counter()
    for piece in pieces:
        if piece.record:
            name = RunName.parse(piece.record["run"])
            where = "/".join(filter(None, (name.dataset, name.arch, name.scenario)))
            cells.setdefault(where, Counter())[name.method] += 1
        else:
            files[piece.kind] += 1
    width = max(map(len, cells), default=0)
    for where, methods in sorted(cells.items()):
        yield f"  {where:{width}}  {', '.join(f'{method} {count}' for method, count in methods.items())}"
    if files:
        yield f"  with {', '.join(f'{kind} {count}' for kind, count in files.items())}"


def _unknown(plan: Merge) -> Iterator[str]:
    """Name the runs that no study here has."""
    if not plan.added:
        return
    shown: set[Path] = set()
    other = ""
    for name in paths.studies():
        try:
            shown |= used(name)
        except BadInput as error:
            other = " other"
            yield f"whether study {name} has them is not known: {error}"
    added = (piece for piece in plan.added.values() if piece.record)
    runs = [run for run in added if paths.RESULTS / run.relative_path not in shown]
    if runs:
        names = some_of([f"{run.record['run']} of {run.record.get('study')}" for run in runs])
        yield f"no{other} study in {paths.CONFIG} has {len(runs)} of them: {names}"
