"""Captions of Snakemake's report (``snakemake --report``), in reStructuredText."""

from __future__ import annotations

import re

from benchmark import paths
from benchmark.report.facts import tuned
from benchmark.report.style import cell_label, dataset_label, method_label, use
from benchmark.report.tabular import remake, sentences
from benchmark.study.kinds import MAPS
from benchmark.study.study import Study

NOISE = "a gap is an absolute value, so noise makes small gaps too large"
READING = {
    "improvement": f"bars with 95 % intervals from resampling the trials; {NOISE}",
    "cost": "a point is a whole run with its 95 % interval; a faint line shows the same run before its end, while the "
    f"learning rate was high, which is not a run of that length; {NOISE}",
    "stages": f"95 % intervals of average gaps, standard deviations of metrics; {NOISE}",
    "ablation": f"95 % intervals of average gaps, signed gaps (mean minus Retrain's) with the metrics' standard "
    f"deviations; {NOISE}",
    "scale": "rank 1 is nearest to Retrain; filled: the first, or not to be told from it (95 % interval)",
    "forget": "the silhouette, from -1 to 1, is of the forget samples of each predicted class, on the map",
}


def captions(study: Study) -> dict[str, str]:
    """Return a caption for each table and figure, and for ``page`` and ``study``."""
    use(study)
    page = "All results on one page: tables that sort and filter, curves, maps, and how each number was made"
    outputs = {name: _output(study, name) for name in study.outputs}
    return outputs | {"page": _caption(page, {}, "page", study), "study": _study(study)}


def labels(study: Study, name: str, suffix: str) -> dict[str, str]:
    """Return the labels of a table's or figure's file in the report's list of its category."""
    output = study.output(name)
    datasets = dict.fromkeys(dataset_label(cell.dataset) for cell in output.parsed_cells)
    # A label whose second of two values is yes becomes a switch above the list, which is on at first.
    screen = "yes" if suffix in (".html", ".png") else "no"
    return {"name": name, "kind": output.kind, "dataset": ", ".join(datasets), "for the screen": screen}


def _output(study: Study, name: str) -> str:
    output, kind = study.output(name), study.kind_of(name)
    at_best = study.report_epoch == "best" and kind.by_epoch
    has_runs = kind.shows_results and not kind.of_studies
    epoch = "the best, by the average gap of means over trials" if at_best else "the last" if has_runs else ""
    trials = str(output.trials or study.trials) if has_runs else ""
    facts = {
        "Cells": "; ".join(map(cell_label, output.parsed_cells)),
        "Methods": ", ".join(method_label(method) for method in output.methods),
        "Classes": ", ".join(output.classes),
        "Studies": ", ".join(output.studies),
        "Trials": "the first" if kind.derives == MAPS else trials,
        "Reported epoch": epoch,
        "Hyperparameters": tuned(study) if has_runs else "",
    }
    if study.section_of(name) == "tables":
        facts["At full precision"] = str(paths.table(study.name, name, ".csv"))
    else:
        facts["How to read it"] = READING.get(output.show if kind.derives == MAPS else output.kind, "")
        facts["For print"] = str(paths.figure(study.name, name, ".pdf"))
    return _caption(f"{name}: {output.caption or output.kind}", facts, name, study)


def _study(study: Study) -> str:
    facts = {
        "Study": study.file,
        "Datasets": ", ".join(dataset_label(name) for name in study.datasets),
        "Trials": str(study.trials),
        "Seed": str(study.seed),
        "Tables": ", ".join(study.tables),
        "Figures": ", ".join(study.figures),
    }
    return _caption(study.description or study.name, facts, "all", study)


def _caption(title: str, facts: dict[str, str], target: str, study: Study) -> str:
    # The title comes first: fields at the start would be taken for a document's author, date and so on, and lost.
    fields = [f":{key}: {_escape(value)}" for key, value in facts.items() if value]
    fields.append(f":Remade by: ``{remake(study.name, target)}``")
    return "\n".join([_escape(sentences([title])), "", *fields, ""])


def _escape(text: str) -> str:
    """Return plain text in one line, with all markup escaped."""
    return re.sub(r"([\\*`_|:<\[])", r"\\\1", " ".join(text.split()))
