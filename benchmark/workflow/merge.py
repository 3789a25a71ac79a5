"""Runs of other checkouts and machines, taken into this pool, with their splits and what is derived from them.

A place in a pool names all that determines what lies there. So equal places should hold equal content. Where they do
not, as between two kinds of processor or two versions of the code, nothing is taken until somebody decides.
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
from benchmark.errors import BadInput
from benchmark.files import replacing, sha256, written_origin
from benchmark.names import WORD, RunName
from benchmark.paths import HISTORY, MODEL, RUN, SAMPLES
from benchmark.study.runs import SHORT
from benchmark.workflow.pool import Piece, piece_at, pieces
from benchmark.workflow.unused import used

LEFT_OUT = "not looked at: checkpoints, logs, and gathered files, tables and figures, which snakemake draws here"
NAMED = 5  # of the runs that no study shows


@dataclass
class Merge:
    """What is to be done: pieces by where they go, and what stays where it is.

    Attributes
    ----------
    added, beside : pieces that go into this pool, and beside it since they, or what they are made from, differ.
    weights : runs whose weights are taken, since they are here without them.
    here, beside_already : how many runs are there already.
    unequal : pairs of what is here and what is there, at one place, with unequal content.
    damaged : why a piece cannot be taken, a line each.
    """

    added: dict[str, Piece] = field(default_factory=dict)
    beside: dict[str, Piece] = field(default_factory=dict)
    weights: dict[str, Piece] = field(default_factory=dict)
    here: int = 0
    beside_already: int = 0
    unequal: list[tuple[Piece, Piece]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def merge(folders: Sequence[Path], beside: str = "", dry_run: bool = False) -> tuple[str, bool]:
    """Take what other pools have into this one; return what was taken as text, and whether all of it could be read.

    Everything is verified and compared before anything is copied. Nothing here is overwritten, and a copy that is cut
    off leaves nothing that counts as a run.

    Parameters
    ----------
    folders : checkouts, or their folders of results.
    beside : a name. What is here with other content, and what is made from that, goes to ``results/others/<name>``.

    Raises
    ------
    BadInput
        If a folder has no results; or if something is here with other content, all of which is named.
    """
    if beside and (not re.fullmatch(WORD, beside) or len(folders) > 1):
        accepted = "lower-case letters, digits and hyphens, for the conflicts of one folder"
        raise BadInput(f"--keep-both {beside!r} with {len(folders)} folders: accepted is {accepted}")
    plan, other = Merge(), paths.others(beside) / paths.RESULTS if beside else None
    for results in map(_results, folders):
        _plan(plan, results, other)
    if plan.unequal:
        raise _conflict(plan, other)
    if not dry_run:
        for piece in plan.added.values():
            _copy(piece, paths.RESULTS / piece.place)
        for piece in plan.beside.values():
            _copy(piece, (other or paths.RESULTS) / piece.place)
        for piece in plan.weights.values():
            _copy_file(piece.path / MODEL, paths.RESULTS / piece.place / MODEL, piece.record["sha256"][MODEL])
    return "\n".join(_report(plan, other, folders, dry_run)), not plan.damaged


def _results(folder: Path) -> Path:
    """Return the folder of results that a checkout has, or that is named itself."""
    for results in (folder / paths.RESULTS, folder):
        if (results / paths.RUNS.name).is_dir():
            if paths.RESULTS.is_dir() and results.samefile(paths.RESULTS):
                raise BadInput(f"{folder}: that is this pool; accepted is another one")
            return results
    raise BadInput(f"{folder}: no runs there: accepted is another checkout, or its folder {paths.RESULTS}")


def _plan(plan: Merge, results: Path, other: Path | None) -> None:
    """Add what is to be done with a pool; what others are made from comes before them."""
    aside: set[str] = set()
    refused: set[str] = set()  # the digits that end the places of what is not taken; runs name splits by content
    splits: list[Piece] = []

    def refuse(place: str, why: str) -> None:
        plan.damaged.append(why)
        refused.add(place.removesuffix(".parquet").rpartition("-")[2])

    for piece in pieces(results, refuse):
        lost = any(key[:SHORT] in refused for key in piece.made_from)
        if problem := f"{piece.path} was made from what is not taken" if lost else _other_images(piece):
            refuse(piece.place, problem)
            continue
        mine = plan.added.get(piece.place) or piece_at(paths.RESULTS, piece.place)
        if mine is not None and mine.content == piece.content:
            plan.here += piece.kind == paths.RUNS.name
            if _lacks_weights(mine, piece):
                plan.weights[piece.place] = piece
        elif mine is None and aside.isdisjoint(piece.made_from):
            plan.added[piece.place] = piece
        elif other is not None:
            aside.add(piece.key)
            earlier = piece_at(other, piece.place)
            if earlier is None:
                plan.beside[piece.place] = piece
            elif earlier.content == piece.content:
                plan.beside_already += piece.kind == paths.RUNS.name
            else:
                plan.unequal.append((earlier, piece))
        elif mine is not None:
            plan.unequal.append((mine, piece))
        splits += [piece] * (piece.kind == paths.SPLITS.name)
    if other is not None and plan.beside:  # a pool of its own, in which runs can be measured
        plan.beside |= {split.place: split for split in splits if not (other / split.place).exists()}


def _other_images(piece: Piece) -> str:
    """Say if a run or split is of other images than are prepared here: the workflow would not go on with it."""
    if piece.record:
        name, made = piece.record["run"].split("/")[0], piece.record["stamp"].get("data")
        folder = paths.dataset(name, piece.record["slice"]["dataset"]["provenance"])
    else:
        origin = written_origin(piece.path)
        name, made, folder = piece.place.split("/")[1], origin.get("images"), paths.DATA / str(origin.get("dataset"))
    on_disk = store.content_hash_if_known(folder)
    other = made and on_disk and made != on_disk
    return (
        f"{piece.path} was made from other images of {name} ({made}) than are prepared here ({on_disk})"
        if other
        else ""
    )


def _lacks_weights(mine: Piece, theirs: Piece) -> bool:
    digests = [piece.record["sha256"].get(MODEL) for piece in (mine, theirs) if piece.record]
    same = len(digests) == 2 and digests[0] is not None and digests[0] == digests[1]
    return same and (theirs.path / MODEL).is_file() and not (mine.path / MODEL).is_file()


def _conflict(plan: Merge, other: Path | None) -> BadInput:
    """Return the error that names all that is unequal, by where either side was made."""
    groups: dict[str, list[str]] = {}
    for mine, theirs in plan.unequal:
        groups.setdefault(f"here {_made(mine)}, there {_made(theirs)}", []).append(str(mine))
    named = "; ".join(f"{made}: {', '.join(names)}" for made, names in groups.items())
    keep = "'--keep-both NAME' keeps theirs beside, in results/others/NAME"
    advice = keep if other is None else f"{other.parent} has others already: '--keep-both' needs another name"
    return BadInput(f"{len(plan.unequal)} of equal settings and unequal results: nothing was copied. {named}. {advice}")


def _made(piece: Piece) -> str:
    """Return on what machine and by what code a run was made; of a file its digest."""
    made = piece.record.get("stamp")
    return f"{made.get('device')}, torch {made.get('torch')}, commit {made.get('commit')}" if made else piece.content


# --- copies -----------------------------------------------------------------------------------------------------------


def _copy(piece: Piece, target: Path) -> None:
    """Copy a piece; a run's record comes last, without which its folder does not count."""
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


# --- what is said of it -----------------------------------------------------------------------------------------------


def _report(plan: Merge, other: Path | None, folders: Sequence[Path], dry_run: bool) -> Iterator[str]:
    verb = "would be added" if dry_run else "added"
    yield f"{', '.join(map(str, folders))}: {_runs(plan.added)} {verb}, {plan.here} already here"
    yield from _listed(plan.added.values())
    if plan.weights:
        yield f"weights of {len(plan.weights)} runs that were here without them"
    if other and (plan.beside or plan.beside_already):
        verb = "would be kept" if dry_run else "kept"
        yield f"{_runs(plan.beside)} {verb} beside, in {other.parent}, {plan.beside_already} there already"
        yield from _listed(plan.beside.values())
        yield f"  no table shows them; 'python -m benchmark compare STUDY {other.parent}' says how far they are apart"
    yield from _unknown(plan)
    yield from (f"not taken: {problem}" for problem in plan.damaged)
    journals = [file for folder in folders for file in _results(folder).glob("*-tuning.jsonl")]
    if other_journals := sorted({file.name for file in journals if not _is_here(file)}):
        yield f"left out: {', '.join(other_journals)}: a search goes on from one journal, and two cannot be joined"
    yield LEFT_OUT


def _is_here(journal: Path) -> bool:
    mine = paths.RESULTS / journal.name
    return mine.is_file() and sha256(mine) == sha256(journal)


def _runs(pieces: dict[str, Piece]) -> str:
    count = sum(bool(piece.record) for piece in pieces.values())
    return f"{count} run{'s' * (count != 1)}"


def _listed(pieces: Iterable[Piece]) -> Iterator[str]:
    """Yield how many runs of each method and cell there are, and how many other files."""
    cells: dict[str, Counter[str]] = {}
    others: Counter[str] = Counter()
    for piece in pieces:
        if piece.record:
            name = RunName.parse(piece.record["run"])
            where = "/".join(filter(None, (name.dataset, name.arch, name.scenario)))
            cells.setdefault(where, Counter())[name.method] += 1
        else:
            others[piece.kind] += 1
    width = max(map(len, cells), default=0)
    for where, methods in sorted(cells.items()):
        yield f"  {where:{width}}  {', '.join(f'{method} {count}' for method, count in methods.items())}"
    if others:
        yield f"  with {', '.join(f'{kind} {count}' for kind, count in others.items())}"


def _unknown(plan: Merge) -> Iterator[str]:
    """Name the runs that no study here shows."""
    if not plan.added:
        return
    try:
        shown = {path.as_posix() for path in used()}
    except BadInput as error:
        yield f"which studies show them is not known: {error}"
        return
    runs = [one for one in plan.added.values() if one.record and (paths.RESULTS / one.place).as_posix() not in shown]
    if runs:
        some = ", ".join(f"{one.record['run']} of {one.record.get('study')}" for one in runs[:NAMED])
        yield f"{len(runs)} of them are of no study in {paths.CONFIG}: {some}{', ...' * (len(runs) > NAMED)}"
