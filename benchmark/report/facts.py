"""Sentences added to every caption, so that none depends on its author's memory.

Each function returns a sentence without its full stop, or an empty text where there is nothing to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmark.errors import number_of
from benchmark.names import ORIGINAL, RETRAIN, Cell, MethodName, is_control
from benchmark.report.style import architecture_label, dataset_label, method_label, short_label
from benchmark.report.tabular import THIN, number
from benchmark.study.plugins import REPLACED
from benchmark.study.study import Study

if TYPE_CHECKING:
    import pandas as pd

INTERVAL = f"95{THIN}% interval"  # see `benchmark.metrics.bootstrap`
NO_COLLAPSED = "; a method that collapsed is never bold"


def shared(cells: list[Cell]) -> str:
    """Name the dataset and architecture that all cells share, which `style.short_label` leaves out."""
    labels = [(dataset_label, {cell.dataset for cell in cells}), (architecture_label, {cell.arch for cell in cells})]
    return ", ".join(label(*names) for label, names in labels if len(names) == 1)


def floor(data: pd.DataFrame) -> str:
    """State Retrain's noise floor, which is the same in all rows of a cell."""
    value = data["noise_floor"].iloc[0]
    return f"noise floor {number(value)}" if np.isfinite(value) else ""


def meaning_of_floor(data: pd.DataFrame, cells: list[Cell], meaning: str) -> str:
    """Explain the noise floor if any cell has one, with its value if there is a single cell."""
    if data["noise_floor"].isna().all():
        return ""
    value = f" {number(data['noise_floor'].iloc[0])}" if len(cells) == 1 else ""
    return f"Noise floor{value}: {meaning}"


def listed(methods: Iterable[str]) -> str:
    """Join methods' labels by commas, each once."""
    return ", ".join(map(method_label, dict.fromkeys(methods)))


def over(trials: int) -> str:
    """Say how many trials a number is taken over: ``over 3 trials``."""
    return f"over {trials} trials" if trials > 1 else "of one trial"


def distinct(frame: pd.DataFrame, column: str) -> list[str]:
    """Return the values of a column in order, each once; a run resumed elsewhere has ``bfloat16 and float32``."""
    stamps = frame[column].dropna().astype(str).unique()
    return sorted({value for stamp in stamps for value in stamp.split(" and ")})


def values(frame: pd.DataFrame, column: str) -> str:
    """Join the values of a column, each once: ``bfloat16 and float32``."""
    return " and ".join(distinct(frame, column))


def made(study: Study, metrics: pd.DataFrame) -> list[str]:
    """Say in which precision runs were computed, and if methods of one trial started from different Originals."""
    return [_precision(metrics), _apart(study, metrics)]


def tuned(study: Study, cells: Sequence[Cell] = (), methods: Iterable[str] = ()) -> str:
    """Say that hyperparameters were tuned with what a user who unlearns does not have, and which were not tuned.

    Those of another study may have been tuned on fewer images, or for fewer epochs.
    """
    names = [MethodName.parse(method) for method in methods]
    heads = {name.head for name in names} - {ORIGINAL, RETRAIN}
    shows_none = bool(cells) and all(len(study.untuned_methods(cell, methods)) == len(heads) for cell in cells)
    if shows_none or not study.includes_tuned:
        return ""
    place = "" if study.tuned == study.name else f" in the study {study.tuned},"
    tuning_data = "images held out of their training data" if study.tuned_without_test_data else "the test data"
    left = study.tuned_file.get("about", {}).get("left")
    unfinished = f", by a search of which {left} candidates are left" if left else ""
    text = f"Hyperparameters were tuned{place} on other trials, with their Retrain and {tuning_data}{unfinished}"
    untuned, otherwise = study.untuned_methods, study.tuned_otherwise
    other_settings = "; the search for {} had other settings than this table, such as epochs"
    for words, find in (("; not for {}", untuned), (other_settings, otherwise)):
        found = {short_label(cell, cells): find(cell, methods) for cell in cells}
        places = [f"{listed(some)} in " * (len(some) < len(heads)) + cell for cell, some in found.items() if some]
        text += words.format(", ".join(places)) if places else ""
    return text + "; what a method’s name sets takes precedence" * any(name.settings for name in names)


def code(codes: Iterable[str]) -> str:
    """Say if several versions of the code made the runs, and which parts plugins had replaced."""
    codes = list(codes)
    replaced = sorted({part for version in codes for part in version.split(REPLACED)[1:]})
    versions = f"Runs were made by {len(codes)} versions of the code" if len(codes) > 1 else ""
    return ". ".join(filter(None, [versions, f"Plugins replaced {', '.join(replaced)}" if replaced else ""]))


def leading(quantity: str, data: pd.DataFrame, trials: int) -> str:
    """Say which numbers are bold: those of methods that collapsed never are."""
    means = f"Bold: the smallest {quantity} and all that cannot be told from it ({INTERVAL} of the difference)"
    return means + NO_COLLAPSED * bool((data["collapsed"] > 0).any()) if trials > 1 else ""


def control(methods: list[str]) -> str:
    """Say why Original is in the table."""
    return f"{listed(methods)}, the model before unlearning, is a control" if methods else ""


def elsewhere(methods: Iterable[str]) -> str:
    """Name the methods of which only predictions are known."""
    names = listed(methods)
    return f"Predictions made elsewhere, and scored here: {names}" if names else ""


def incomplete(data: pd.DataFrame, trials: int) -> str:
    """Name the methods, controls aside, that have fewer than ``trials`` trials."""
    short = [method for method in data.loc[data["trials"] < trials, "method"] if not is_control(method)]
    return f"Trials are missing for {listed(short)}" if short else ""


def left_out(data: pd.DataFrame) -> str:
    """Count, by method, the trials of all cells left out because it or what it is compared with diverged."""
    counts: Counter[str] = Counter()
    for row in data.itertuples():
        counts[method_label(row.method)] += row.diverged
    texts = ", ".join(f"{label} {count}" for label, count in counts.items() if count)
    return f"Left out, because a method diverged (trials): {texts}" if texts else ""


def diverged(data: pd.DataFrame) -> str:
    """Name the methods that diverged in some trial."""
    methods = listed(data.loc[data["diverged"] > 0, "method"])
    return f"Diverged in at least one trial: {methods}" if methods else ""


def _precision(metrics: pd.DataFrame) -> str:
    """Say in which precision runs were computed, and of which methods, or how many of their runs, in another one."""
    if "precision" not in metrics or metrics["precision"].isna().all():
        return ""
    usual, *others = metrics["precision"].value_counts().index
    totals = metrics["method"].value_counts()
    text = f"Computed in {usual}"
    for other in others:
        counts = metrics.loc[metrics["precision"] == other, "method"].value_counts(sort=False)
        shares = {name: "" if n == totals[name] else f" ({n} of {totals[name]} runs)" for name, n in counts.items()}
        text += f", but in {other}: " + ", ".join(method_label(name) + share for name, share in shares.items())
    return text


def _apart(study: Study, metrics: pd.DataFrame) -> str:
    """Say if a trial's methods started from several Originals, or from another than is shown, as on two machines."""
    if "started_from" not in metrics:
        return ""
    keys = ["dataset", "arch", *(["trial"] if "original" in study.resample else [])]
    started = metrics[metrics["started_from"] != ""].groupby(keys)["started_from"].agg(set)
    if (started.map(len) > 1).any():
        return "Within a trial, not all methods started from the same Original"
    if "weights" not in metrics:  # gathered by an earlier version
        return ""
    shown = metrics[(metrics["method"] == ORIGINAL) & (metrics["weights"] != "")].groupby(keys)["weights"].agg(set)
    others = sum(weights != shown[key] for key, weights in started.items() if key in shown)
    trials = f"in {number_of(others, 'trial')} " * ("trial" in keys)
    return f"Methods started {trials}from another Original than the one shown" if others else ""
