"""What every caption says by itself, so that a table does not depend on its author's memory."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from benchmark.names import ORIGINAL, Cell, MethodName
from benchmark.report.latex import escape
from benchmark.report.style import architecture_label, cell_label, dataset_label, method_label
from benchmark.study.study import Study


def caption(study: Study, name: str, facts: Iterable[str]) -> str:
    r"""Return a caption in LaTeX: the study's own words, then ``facts`` as sentences; empty facts are left out.

    Parameters
    ----------
    facts : LaTeX text without the final full stop.
    """
    sentences = [escape(" ".join(study.output(name).caption.split())), *facts]
    return " ".join(text if text[-1] in ".!?" else f"{text}." for text in sentences if text)


def subject(cells: list[Cell]) -> str:
    """Return the cell in LaTeX if there is one; several are told by the headings of their blocks."""
    return escape(cell_label(cells[0])) if len(cells) == 1 else ""


def shared(cells: list[Cell]) -> str:
    """Return in LaTeX the dataset and the architecture that all cells have, which `style.short_label` leaves out."""
    datasets, archs = {cell.dataset for cell in cells}, {cell.arch for cell in cells}
    parts = [dataset_label(*datasets)] if len(datasets) == 1 else []
    parts += [architecture_label(*archs)] if len(archs) == 1 else []
    return escape(", ".join(parts))


def heading(cells: list[Cell], cell: Cell) -> str:
    """Return the heading of a cell's block in LaTeX, empty if it is the only one."""
    return escape(cell_label(cell)) if len(cells) > 1 else ""


def listed(names: Iterable[str]) -> str:
    """Return methods' labels in LaTeX, joined by commas."""
    return ", ".join(escape(method_label(name)) for name in names)


def over(trials: int) -> str:
    """Return of how many trials a number is: ``over 3 trials``."""
    return f"over {trials} trials" if trials > 1 else "of one trial"


def precision(metrics: pd.DataFrame) -> str:
    """Return which number format the runs were computed in, or nothing if they do not say."""
    if "precision" not in metrics:
        return ""
    return "Computed in " + escape(" and ".join(sorted(metrics["precision"].dropna().astype(str).unique())))


def tuned(study: Study) -> str:
    """Return that hyperparameters were searched with what a user who unlearns has not, or nothing if they were not."""
    return "Hyperparameters tuned on other trials, with their Retrain and the test data" if study.includes_tuned else ""


def apart(study: Study, metrics: pd.DataFrame) -> str:
    """Say whether methods of one trial started from Originals that were trained apart, as on two kinds of machine."""
    if "started_from" not in metrics:
        return ""
    known = metrics[metrics["started_from"] != ""]
    one = ["dataset", "arch", *(["trial"] if "original" in study.resample else [])]
    several = (known.groupby(one)["started_from"].nunique() > 1).any()
    return "Not all methods of a trial started from the same training of Original" if several else ""


def is_control(method: str) -> bool:
    """Whether a method is Original, which forgets nothing and competes for nothing."""
    return MethodName.parse(method).base == ORIGINAL


def incomplete(rows: pd.DataFrame) -> str:
    """Return which methods lack trials, for the rows that do; nothing if there is none."""
    return f"Incomplete, with trials missing: {listed(dict.fromkeys(rows['method']))}" if len(rows) else ""


def diverged(data: pd.DataFrame) -> str:
    """Say for which rows trials were left out, since one of the methods that are compared diverged in them.

    Parameters
    ----------
    data : columns ``method`` and ``diverged``, in how many trials.
    """
    told = [f"{escape(method_label(row.method))} {row.diverged}" for row in data.itertuples() if row.diverged]
    return f"Trials left out, since a method diverged in them: {', '.join(dict.fromkeys(told))}" if told else ""


def unfinished(data: pd.DataFrame, trials: int) -> list[str]:
    """Say which methods diverged in some trial, and which have fewer trials than were asked for; controls aside.

    Parameters
    ----------
    data : columns ``method``, ``trials`` and ``diverged``, how many of each.
    trials : how many were asked for.
    """
    diverged = data[data["diverged"] > 0]
    short = data[(data["trials"] < trials) & ~data["method"].map(is_control)]
    return [
        f"Diverged in at least one trial: {listed(dict.fromkeys(diverged['method']))}" if len(diverged) else "",
        incomplete(short),
    ]
