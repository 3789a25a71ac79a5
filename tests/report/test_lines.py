"""Figures 5 to 10: the gap against computation, by stage and by the value of a setting."""

import shutil

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.names import DIVERGED, Cell
from benchmark.report.figures import ablation_figure, common, cost_figure, stages_figure
from benchmark.report.style import BROKEN, line_style, method_colour
from benchmark.study.kinds import varied as varied_setting
from benchmark.study.study import Study
from tests.pool import run_folder
from tests.project import ORIGINAL
from tests.report.conftest import (
    CLASS,
    RANDOM,
    STAGED,
    altered,
    below,
    changed,
    metrics,
    plot,
    source,
    write_run,
    write_runs,
)


def epoch(number: int, pflops: float, gap: float, **columns: float) -> dict[str, float]:
    """Return a row of a history whose four metrics are all ``gap`` points above 50."""
    return {"epoch": number, "pflops": pflops, "pflops_executed": 2 * pflops, **metrics(50 + gap), **columns}


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.fixture(scope="module")
def study(shared) -> Study:
    """Two trials of every run of the figures of cost and of stages.

    Cost: FT is 4 and 2 points above 50, then -1 and 2; NoT moves away; NoT + CL diverges in one trial. Stages, of one
    epoch each: Retrain's metrics are 50 after the first and 40 after the second.
    """
    write_run(shared, ORIGINAL, metrics(50.0))
    for trial in range(2):
        for cell in (RANDOM, CLASS):
            name = f"{cell}/{{}}/trial-{trial}"
            write_run(shared, name.format("retrain"), metrics(50.0 - 1 + 2 * trial))
            first, second = [(4, -1), (2, 2)][trial]
            write_run(shared, name.format("ft"), epochs=[epoch(1, 1.0, first), epoch(2, 2.0 + trial, second)])
            write_run(shared, name.format("not"), epochs=[epoch(1, 1.0, 1), epoch(2, 2.0, 5)])
            rows = [epoch(1, 1.5, 1), epoch(2, 3.0, 1)] if trial else [epoch(1, 1.5, 3)]
            write_run(shared, name.format("not+cl"), epochs=rows, status="finished" if trial else DIVERGED)
        write_run(shared, f"digits/convnet/random-20/retrain/trial-{trial}", metrics(40.0))
        for method, first, second in (("ft", 2 * trial, -5), ("coun", 3, -10)):
            write_stages(shared, f"{method}/trial-{trial}", epoch(1, 1, first, stage=1), epoch(2, 2, second, stage=2))
    return shared


def write_stages(study: Study, run: str, *rows: dict[str, float], status: str = "finished") -> None:
    write_run(study, f"{STAGED}/{run}", epochs=list(rows), status=status)


def test_lines_of_one_colour_differ_in_style_and_cl_is_a_broken_line() -> None:
    methods = ["neggrad-plus", "neggrad-plus+cl", "neggrad-plus@beta=0.9", "coun", "coun@epochs=2", "ft"]
    styles = [str(line_style(method, methods)) for method in methods]
    assert len(set(zip(map(method_colour, methods), styles, strict=True))) == len(methods)
    assert styles[0] == styles[5] == "-" and styles[1] == styles[3] == str((0, BROKEN[0]))


def test_a_curve_has_the_gap_between_means_at_each_epoch(study) -> None:
    data = cost_figure.curves(source(study, "spent")).query("scenario == 'random-10'")
    ft, no_t, diverged = (data[data["method"] == method] for method in ("ft", "not", "not+cl"))
    # FT's means are 53, then 50.5; Retrain's is 50.
    assert ft["avg_gap"].tolist() == [3.0, 0.5]
    assert ft["pflops"].tolist() == [1.0, 2.5] and ft["pflops_executed"].tolist() == [2.0, 5.0]
    assert no_t["avg_gap"].tolist() == [1.0, 5.0]
    # One trial did not reach the second epoch.
    assert diverged["avg_gap"].tolist() == pytest.approx([2.0, np.nan], nan_ok=True)


def test_a_point_has_the_gap_and_cost_of_whole_runs_with_an_interval(study) -> None:
    data = cost_figure.points(source(study, "spent")).query("scenario == 'random-10'").set_index("method")
    assert data.loc[["ft", "not"], "avg_gap"].tolist() == [0.5, 5.0] and np.isnan(data.loc["not+cl", "avg_gap"])
    assert data.loc["ft", ["pflops", "pflops_executed"]].tolist() == [2.5, 5.0]
    # The two trials of Retrain are 2 apart.
    assert data["noise_floor"].unique().tolist() == [2.0]
    # NoT's trials are equal, Retrain's 2 apart: 5 ± 12.7 standard errors of 1.
    assert data.loc["not", ["avg_gap_low", "avg_gap_high"]].tolist() == pytest.approx([0.0, 5 + 12.706], abs=1e-3)


def test_runs_of_several_lengths_share_a_line_and_only_a_single_run_shows_its_epochs(study, copied) -> None:
    for cell in (RANDOM, CLASS):
        for trial in range(2):
            write_run(study, f"{cell}/ft@epochs=1/trial-{trial}", epochs=[epoch(1, 1.0, 2)])
    figure = plot(altered("spent", methods=["ft@epochs=1", "ft", "not"]), "spent")
    assert legend(figure) == ["FT", "NoT", "Whole run", "The run on its way", "Noise floor"]
    points = [line.get_xydata().tolist() for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert points == [[[1.0, 2.0], [2.5, 0.5]], [[2.0, 5.0]]]
    curves = [line.get_xydata().tolist() for line in figure.axes[0].lines if line.get_alpha() == 0.5]
    assert curves == [[[1.0, 1.0], [2.0, 5.0]]]


def test_the_cost_figure_has_a_column_per_cell_and_a_row_per_counting_at_one_scale(study) -> None:
    figure = plot(study, "spent")
    grid = np.array(figure.axes).reshape(2, 2)
    assert legend(figure) == ["FT", "NoT", "NoT + CL", "Whole run", "The run on its way", "Noise floor"]
    assert grid[0, 0].get_ylabel() == "Average gap (points)"
    assert below(figure) == ["Error bars: 95 % intervals over 2 trials"]
    assert [axes.get_xlabel() for axes in grid[:, 0]] == ["PFLOPs by the paper's counting", "PFLOPs as executed"]
    assert grid[0, 0].get_title() == "random 10 %"
    assert grid[0, 0].get_xlim() == grid[1, 0].get_xlim() and grid[0, 0].get_ylim() == grid[1, 1].get_ylim()
    ft, no_t, with_term = (line for line in grid[1, 0].lines if line.get_marker() == "o")
    assert ft.get_xydata().tolist() == [[5.0, 0.5]] and no_t.get_xydata().tolist() == [[4.0, 5.0]]
    assert no_t.get_color() == with_term.get_color() and with_term.get_markerfacecolor() == "white"
    assert (no_t.get_linestyle(), with_term.get_linestyle()) == ("-", "--")


def test_a_long_title_is_broken_and_unused_axes_are_hidden(study, monkeypatch) -> None:
    parts = ["CIFAR-10", "ResNet-18", "sequential 2 x 10 %"]
    monkeypatch.setattr(cost_figure, "short_parts", lambda cell, cells: parts)
    axes = plot(altered("spent", cells=[RANDOM, CLASS, RANDOM, CLASS]), "spent").axes
    assert axes[0].get_title() == "CIFAR-10, ResNet-18,\nsequential 2 x 10 %"
    assert len(axes) == 12 and [panel.get_visible() for panel in axes].count(False) == 4
    assert all(panel.lines for panel in axes if panel.get_visible())


@pytest.mark.parametrize(("cells", "labelled"), [(2, [0, 1]), (3, [1, 2]), (5, [3, 4])])
def test_the_lowest_panel_of_every_column_has_an_axis_with_numbers(cells, labelled) -> None:
    stacks = common.panels(cells, [1.0], 0.3, sharex=True)[2]
    shown = [axes.xaxis.get_major_ticks()[0].label1.get_visible() for (axes,) in stacks]
    assert [number for number, has_numbers in enumerate(shown) if has_numbers] == labelled


def test_curves_leave_out_missing_runs_and_use_the_unit_of_the_tables(study, copied) -> None:
    shutil.rmtree(run_folder("tiny", f"{RANDOM}/ft/trial-1"))
    shutil.rmtree(paths.RUNS / f"{CLASS}/retrain")
    data = cost_figure.curves(source(study, "spent", partial=True))
    assert data.query("scenario == 'random-10' and method == 'ft'")["avg_gap"].tolist() == [4.0, 1.0]
    assert data.query("scenario == 'class-8'")["avg_gap"].isna().all()
    points = cost_figure.points(source(study, "spent", partial=True))
    assert points.query("scenario == 'class-8'")["avg_gap"].isna().all()
    # The cheapest method sets the unit; the dearest would give TFLOPs.
    for method, pflops in (("ft", 2e-5), ("not", 4e-5), ("not+cl", 8e-5)):
        write_run(study, f"{RANDOM}/{method}/trial-0", epochs=[epoch(1, pflops / 2, 1.0), epoch(2, pflops, 0.5)])
    figure = plot(altered("spent", trials=1, cells=[RANDOM]), "spent", partial=True)
    assert figure.axes[0].get_xlabel() == "GFLOPs by the paper's counting"


def by_stage(study: Study, partial: bool = False) -> pd.DataFrame:
    data = stages_figure.numbers(source(study, "removed", partial), Cell.parse(STAGED))
    return data.set_index(["percent", "method"])


def test_each_stage_is_compared_with_its_own_retrain(study) -> None:
    data = by_stage(study)
    assert list(data.index) == [(share, method) for share in (10, 20) for method in ("retrain", "ft", "coun")]
    # FT: means 51 and 45. CoUn: 53 and 40.
    assert data["avg_gap"].tolist() == [0.0, 1.0, 3.0, 0.0, 5.0, 0.0]
    assert data.loc[(10, "ft"), ["ra_mean", "mia_gap"]].tolist() == [51.0, 1.0]
    assert data.loc[(10, "ft"), "ua_sd"] == pytest.approx(np.sqrt(2))
    assert data["noise_floor"].tolist() == [2.0] * 3 + [0.0] * 3


def test_the_last_epoch_of_a_stage_counts_and_a_diverged_run_keeps_the_stages_before(study, copied) -> None:
    epochs = [epoch(1, 1, 9, stage=1), epoch(2, 2, 4, stage=1), epoch(3, 3, 0, stage=2)]
    for trial in range(2):
        write_stages(study, f"ft/trial-{trial}", *epochs)
    assert by_stage(study).xs("ft", level="method")["avg_gap"].tolist() == [4.0, 10.0]
    epochs = [epoch(1, 1, 2, stage=1), epoch(2, 2, np.nan, stage=2)]
    write_stages(study, "ft/trial-1", *epochs, status=DIVERGED)
    write_stages(study, "coun/trial-0", *epochs[:1], status=DIVERGED)
    data = by_stage(study)["avg_gap"]
    assert data.loc[10, "ft"] == 3.0 and data.loc[10, "coun"] == 2.5
    assert np.isnan(data.loc[20, "ft"]) and np.isnan(data.loc[20, "coun"])
    plot(study, "removed")


def test_the_stages_figure_shows_the_gap_and_the_metrics_of_every_stage(study) -> None:
    figure = plot(study, "removed")
    gap_axes, *metric_axes = figure.subfigs[0].axes if figure.subfigs else figure.axes
    assert legend(figure) == ["Retrain", "FT", "CoUn", "Noise floor"]
    assert below(figure) == ["Error bars: 95 % intervals (average gap) and standard deviations (metrics) over 2 trials"]
    ft, coun = (container[0] for container in gap_axes.containers)
    assert gap_axes.get_ylabel() == "Average gap (points)"
    assert ft.get_xdata() == pytest.approx([10, 20], abs=1) and ft.get_ydata().tolist() == [1.0, 5.0]
    assert coun.get_linestyle() == "--"
    # The band of the noise floor, on an axis from 0.
    assert gap_axes.collections[-1].get_datalim(gap_axes.transData).intervaly.tolist() == [0.0, 2.0]
    assert gap_axes.get_ylim()[0] == 0
    assert [axes.get_title() for axes in metric_axes] == ["RA (%)", "UA (%)", "TA (%)", "MIA (%)"]
    assert [container[0].get_ydata().tolist() for container in metric_axes[0].containers][:2] == [[50, 40], [51, 45]]


def test_stages_leave_out_missing_runs_and_mark_a_variant_with_hollow_dots(study, copied) -> None:
    shutil.rmtree(paths.RUNS / "digits/convnet/random-20")
    shutil.rmtree(paths.RUNS / f"{STAGED}/coun")
    data = by_stage(study, partial=True)
    assert data.loc[(10, "ft"), "avg_gap"] == 1.0
    assert np.isnan(data.loc[(20, "ft"), "avg_gap"]) and data.loc[(20, "ft"), "ra_mean"] == 45.0
    assert np.isnan(data.loc[(10, "coun"), "ra_mean"])
    figure = plot(altered("removed", methods=["coun", "coun@lr=0.02"]), "removed", partial=True)
    method, variant = (container[0] for container in figure.axes[0].containers)
    assert method.get_markerfacecolor() == method.get_color() and variant.get_markerfacecolor() == "white"


@pytest.fixture
def varied(study, copied) -> Study:
    """CoUn at τ 0.05, 0.1 (the study's own) and 0.2, ever further from Retrain; its TA varies with the trial."""
    for trial in range(2):
        write_run(study, f"{RANDOM}/retrain/trial-{trial}", metrics(90, 10, 80, 20 - 1 + 2 * trial))
        for points, method in enumerate(("coun@tau=0.05", "coun", "coun@tau=0.2"), 1):
            values = metrics(90 + points, 10 - points, 80 + points - 0.5 + trial, 20 - 2 * points)
            write_run(study, f"{RANDOM}/{method}/trial-{trial}", values)
    return study


def test_the_ablation_figure_shows_the_gap_and_signed_differences_at_sorted_values(varied) -> None:
    data = ablation_figure.numbers(source(varied, "varied"))
    assert data["value"].tolist() == [0.05, 0.1, 0.2] and data["own"].tolist() == [False, True, False]
    assert data["head"].unique().tolist() == ["coun"]
    # At 0.05 the gaps are 1, 1, 1 and 2; then twice and three times that.
    assert data["avg_gap"].tolist() == [1.25, 2.5, 3.75]
    assert data["ra_difference"].tolist() == [1.0, 2.0, 3.0] and data["mia_difference"].tolist() == [-2.0, -4.0, -6.0]
    assert data["ta_sd"].tolist() == pytest.approx([np.sqrt(0.5)] * 3)
    assert data["noise_floor"].tolist() == [0.5] * 3
    figure = plot(varied, "varied")
    gap_axes, difference_axes = figure.axes
    assert legend(figure) == ["Study’s own value", "Noise floor", "Retrain", "RA", "UA", "TA", "MIA"]
    assert below(figure) == ["Error bars: 95 % intervals (average gap) and standard deviations (metrics) over 2 trials"]
    for axes in figure.axes:
        assert [label.get_text() for label in axes.get_xticklabels()] == ["0.05", "0.1", "0.2"]
        assert axes.get_xlabel() == "τ: temperature of InfoNCE"
        assert round(float(axes.patches[0].get_x()), 6) == 0.5
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == [f"{kind} gap (points)" for kind in ("Average", "Signed")]
    assert gap_axes.lines[0].get_ydata().tolist() == [1.25, 2.5, 3.75]
    assert [container[0].get_ydata().tolist() for container in difference_axes.containers][1] == [-1.0, -2.0, -3.0]
    for trial in range(2):
        shutil.rmtree(run_folder(varied, f"{RANDOM}/coun@tau=0.2/trial-{trial}"))
    gap_axes, _ = plot(varied, "varied", partial=True).axes
    assert gap_axes.lines[0].get_ydata().tolist() == pytest.approx([1.25, 2.5, np.nan], nan_ok=True)


def test_a_collapsed_value_does_not_stretch_the_axes(varied) -> None:
    gaps, differences = plot(varied, "varied").axes
    write_run(varied, "digits/convnet/original/trial-0", {"ra": 95.0})
    for trial in range(2):
        write_run(varied, f"{RANDOM}/coun@tau=0.2/trial-{trial}", metrics(30, 60, 30, 20))
    gaps_after, differences_after = plot(varied, "varied").axes
    # The gaps 1.25 and 2.5 stay; the third, of 60, 50, 50 and 0, is written as text.
    assert gaps_after.get_ylim()[1] <= gaps.get_ylim()[1] < 40
    assert [text.get_text() for text in gaps_after.texts] == ["▴\n40.0†"]
    assert np.ptp(differences_after.get_ylim()) <= np.ptp(differences.get_ylim())
    assert [text.get_text() for text in differences_after.texts] == ["−60†", "+50†", "−50†", "+0†"]


def test_values_that_are_words_keep_their_order_and_each_cell_and_method_has_a_row(study, copied) -> None:
    write_runs(study, "shaped")
    data = ablation_figure.numbers(source(study, "shaped"))
    random = data[data["scenario"] == "random-10"]
    assert random["value"].tolist() == ["CHN", "CN", "C"]
    assert random["head"].tolist() == ["coun", "coun", "not+cl"] and random["own"].tolist() == [True, False, False]
    figure = plot(study, "shaped")
    titles = [axes.get_title(loc="left") for axes in figure.axes[::2]]
    assert titles[:2] == ["CoUn: Digits, ConvNet, random 10 %", "NoT + CL: Digits, ConvNet, random 10 %"]
    assert titles[2:] == [title.replace("random 10 %", "class-wise ‘8’") for title in titles[:2]]
    assert figure.axes[0].get_xlabel() == "CL transform:\nsecond view's augmentation"


def test_exactly_one_setting_must_vary_between_methods(study, copied) -> None:
    common = altered("varied", methods=["coun@epochs=1@tau=0.2", "coun@epochs=1", "coun@epochs=1@tau=0.05"])
    assert varied_setting(common, common.output("varied")) == "tau"
    for methods, error in (
        (["coun", "ft"], "they differ in no setting"),
        (["coun@tau=0.2", "coun@lambda=2"], "they differ in lambda and tau"),
        (["coun@tau=0.2", "ft"], "'ft' has no setting 'tau'"),
    ):
        with pytest.raises(BadInput, match=f"figures.varied: methods: {error}"):
            changed(figures={"varied": {"kind": "ablation", "cells": [RANDOM], "methods": methods}})
