"""Numbers about the forget samples of one class, a row a cell, method and further class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product

import numpy as np
import pandas as pd

from benchmark.errors import BadInput
from benchmark.report.source import Source
from benchmark.study.checks import check_classes

Read = Callable[[pd.DataFrame], pd.DataFrame]


def gather(
    source: Source, frame: pd.DataFrame, methods: Iterable[str], read: Read, values: list[str], classes: pd.Index[str]
) -> pd.DataFrame:
    """Return ``dataset, arch, scenario, true_class, method, trials, diverged``, the further class, and of each of
    ``values`` a mean over trials with its standard deviation as ``_sd``: NaN where a trial diverged or lacks it.

    Parameters
    ----------
    frame : rows about forget samples, whose class stands in column ``label``.
    read : from a trial's rows about the first listed class to its numbers, with ``values`` as columns, by class.
    classes : the further classes; the index's name is that of their column.

    Raises
    ------
    BadInput
        If a dataset lacks a class that the study names, or if no sample of the first one is forgotten.
    """
    true_class, parts = source.output.classes[0], []
    for cell, method in product(source.cells, methods):
        rows, diverged = source.by_trial(frame, cell, method), source.diverged(cell, method)
        if rows:
            check_classes(source.study, cell.dataset, source.results.classes(cell.dataset))
        tables = dict.fromkeys(diverged, pd.DataFrame())
        for trial in rows.keys() - diverged:
            mine = rows[trial][rows[trial]["label"] == true_class]
            if mine.empty:
                raise BadInput(f"{source.name}: no sample of class {true_class!r} is forgotten in {cell}")
            tables[trial] = read(mine)
        shown = [tables[trial].reindex(index=classes, columns=values) for trial in sorted(tables)]
        trials = np.array(shown, dtype=float).reshape(-1, len(classes), len(values))
        one = {**vars(cell), "true_class": true_class, "method": method, "trials": len(trials)}
        one |= {"diverged": int(np.isnan(trials).all(axis=(1, 2)).sum()), str(classes.name): classes}
        for place, value in enumerate(values):
            one[value] = trials[..., place].mean(axis=0) if len(trials) else np.nan
            one[f"{value}_sd"] = trials[..., place].std(axis=0, ddof=1) if len(trials) > 1 else np.nan
        parts.append(pd.DataFrame(one))
    return pd.concat(parts, ignore_index=True)
