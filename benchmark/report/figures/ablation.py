"""One setting varied: the average gap, and each metric's difference to Retrain, at every value (Figures 7 to 10)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmark.metrics.gaps import CELL, METRICS
from benchmark.names import RETRAIN, Cell, MethodName
from benchmark.report import facts
from benchmark.report.style import FULL_WIDTH, cell_label, method_colour, method_label, setting_label
from benchmark.report.tables.unlearning import gather
from benchmark.results import measured
from benchmark.study.outputs import varied
from benchmark.study.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT, LEGEND = 1.9, 0.25  # inches, of a row of panels and of what stands above all of them
SPREAD = 0.24  # of the way between two values: what the four metrics take up, so that error bars lie side by side
LINE = 36  # letters that fit below a panel
OWN = "#E8E8E8"
# Paul Tol's "bright", with a mark each: the colours of methods mean something else.
LOOKS = {"ra": ("#4477AA", "o"), "ua": ("#EE6677", "s"), "ta": ("#228833", "^"), "mia": ("#AA3377", "D")}


def _settings(study: Study, cell: Cell, method: str) -> dict[str, Any]:
    return study.run(study.run_name(cell, method, 0)).settings.model_dump(by_alias=True)


def numbers(study: Study, name: str, partial: bool = False) -> pd.DataFrame:
    """Return what the figure shows, a row a cell and listed method, sorted by value where values are numbers.

    Columns ``dataset, arch, scenario``; ``head``, the method's name without settings; ``value`` of the varied setting;
    ``own``, whether that is the study's own; ``avg_gap`` and ``noise_floor``, in points; per metric ``_difference``,
    mean over trials minus that of Retrain, and ``_sd``.

    Parameters
    ----------
    study, name : the figure.
    partial : leave out what is missing instead of failing.

    Raises
    ------
    StaleOutput
        If a run is missing, damaged or of another configuration, unless ``partial``.
    BadInput
        As `benchmark.study.outputs.varied`.
    """
    key = varied(study, study.output(name))
    cells = [Cell.parse(cell) for cell in study.output(name).cells]
    methods = list(dict.fromkeys([RETRAIN, *study.output(name).methods]))
    data = gather(study, cells, methods, measured.metrics(study, study.runs_of(name), cells, partial))
    means = [f"{metric}_mean" for metric in METRICS]
    reference = data[data["method"] == RETRAIN].set_index(CELL)[means]
    data = data[data["method"] != RETRAIN].reset_index(drop=True)
    target = reference.loc[list(data[CELL].itertuples(index=False, name=None))].to_numpy(dtype=float)
    data[[f"{metric}_difference" for metric in METRICS]] = data[means].to_numpy(dtype=float) - target
    placed = [(Cell(*place), method) for *place, method in data[[*CELL, "method"]].itertuples(index=False)]
    data["head"] = [MethodName.parse(method).head for _, method in placed]
    data["value"] = [_settings(study, cell, method)[key] for cell, method in placed]
    plain = [_settings(study, cell, MethodName.parse(method).head)[key] for cell, method in placed]
    data["own"] = data["value"] == plain
    if not isinstance(data["value"].iloc[0], str):
        data = data.sort_values("value", kind="stable")
    shown = [f"{metric}_{what}" for metric in METRICS for what in ("difference", "sd")]
    return data[[*CELL, "head", "value", "own", "avg_gap", "noise_floor", *shown]].reset_index(drop=True)


def build(study: Study, name: str, partial: bool = False) -> Figure:
    """Return the figure: a row a cell and method; left the average gap, right each metric's difference to Retrain.

    Values stand at even distances, the study's own on grey. Error bars are standard deviations over trials; the
    average gap, between means, has none. Parameters and errors are those of `numbers`.
    """
    from matplotlib.figure import Figure

    data = numbers(study, name, partial)
    groups = [rows for _, rows in data.groupby([*CELL, "head"], sort=False)]
    figure = Figure(figsize=(FULL_WIDTH, HEIGHT * len(groups) + LEGEND), layout="constrained")
    grid = figure.subplots(len(groups), 2, squeeze=False)
    label, trials = _axis(study, name), study.output(name).trials or study.trials
    for pair, rows in zip(grid, groups, strict=True):
        _gaps(pair[0], rows)
        _differences(pair[1], rows)
        for axes, what in zip(pair, ("Average", "Signed"), strict=True):
            axes.set_ylabel(f"{what} gap (points)\n{facts.over(trials)}")
        for axes in pair:
            axes.set_xticks(range(len(rows)), [_text(value) for value in rows["value"]])
            axes.set_xlim(-0.5, len(rows) - 0.5)
            axes.set_xlabel(label)
        if len(groups) > 1:
            cell = Cell(*rows[CELL].iloc[0])
            pair[0].set_title(f"{method_label(rows['head'].iloc[0])}: {cell_label(cell)}", loc="left")
    entries = [axes.get_legend_handles_labels() for axes in grid[0]]
    handles, labels = ([*left, *right] for left, right in zip(*entries, strict=True))
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), columnspacing=1, handlelength=1.3)
    return figure


def _axis(study: Study, name: str) -> str:
    """Return the setting's name and, from its documentation, what it is."""
    key = varied(study, study.output(name))
    output = study.output(name)
    run = study.run(study.run_name(Cell.parse(output.cells[0]), next(m for m in output.methods if m != RETRAIN), 0))
    fields = type(run.settings).model_fields
    (told,) = (field.description or "" for name_, field in fields.items() if (field.alias or name_) == key)
    label, meaning = setting_label(key), re.split("[:;,]", told)[0]
    between = "\n" if len(label + meaning) > LINE else " "
    return f"{label}:{between}{meaning}"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _gaps(axes: Axes, rows: pd.DataFrame) -> None:
    _mark_own(axes, rows, "Study’s own value")
    colour = method_colour(rows["head"].iloc[0])
    axes.plot(range(len(rows)), rows["avg_gap"], "o-", color=colour, markersize=4, linewidth=1)
    axes.axhline(rows["noise_floor"].iloc[0], color="black", linestyle=":", linewidth=1, label="Noise floor")
    axes.set_ylim(bottom=0)


def _differences(axes: Axes, rows: pd.DataFrame) -> None:
    _mark_own(axes, rows)
    axes.axhline(0, color=method_colour(RETRAIN), linewidth=0.8, label=method_label(RETRAIN))
    for place, (metric, (colour, mark)) in enumerate(LOOKS.items()):
        x = [number + (place - 1.5) / 3 * SPREAD for number in range(len(rows))]
        axes.errorbar(
            x,
            rows[f"{metric}_difference"],
            rows[f"{metric}_sd"].fillna(0),
            color=colour,
            marker=mark,
            markersize=3,
            linewidth=0.8,
            elinewidth=0.6,
            label=metric.upper(),
        )


def _mark_own(axes: Axes, rows: pd.DataFrame, label: str = "_") -> None:
    for number, own in enumerate(rows["own"]):
        if own:
            axes.axvspan(number - 0.5, number + 0.5, color=OWN, linewidth=0, zorder=0, label=label)
