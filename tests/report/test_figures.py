import shutil
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from benchmark import paths
from benchmark.features import alignment
from benchmark.features.projections import COORDINATES
from benchmark.files import write_parquet
from benchmark.names import DIVERGED, FINISHED
from benchmark.report.figures import improvement_figure, maps_figure, placing
from benchmark.study.kinds import MAPS
from benchmark.study.study import Study
from tests.report.conftest import (
    CLASS,
    CLASSES,
    RANDOM,
    at_gap,
    below,
    changed,
    plot,
    source,
    write_features,
    write_run,
    write_runs,
)


@pytest.fixture(scope="module")
def study(shared) -> Study:
    """The study with all of its maps, and the runs that these are of."""
    write_runs(shared, "map", "compared", "forgotten")
    write_features(shared)
    return shared


@pytest.fixture(scope="module")
def figures(study) -> dict[str, Figure]:
    """Maps of all samples, and of forget samples alone."""
    return {name: plot(study, name) for name in ("compared", "forgotten")}


def fill(study: Study, gaps: dict[str, float]) -> None:
    for run in study.runs_of("gain"):
        write_run(study, str(run.name), at_gap(({"retrain": 0.0} | gaps).get(run.name.method, 4.0)))


def gains(study: Study, partial: bool = False) -> pd.DataFrame:
    return improvement_figure.gains(source(study, "gain", partial)).set_index(["scenario", "method"])


def test_improvement_is_positive_where_the_gap_shrinks_and_a_note_says_why_there_is_none(study, copied) -> None:
    fill(study, {"neggrad-plus+cl": 1.0, "not": 2.0, "not+cl": 3.0})
    data = gains(study).loc["random-10"]
    assert data["improvement"].to_dict() == pytest.approx({"neggrad-plus": 75, "not": -50})
    assert (data["note"] == "").all()
    fill(study, {"not": 0.0})
    assert gains(study).loc["random-10", "note"].to_dict() == {"neggrad-plus": "", "not": "gap 0"}
    write_run(study, f"{RANDOM}/not+cl/trial-0", status=DIVERGED)
    shutil.rmtree(paths.RUNS / f"{CLASS}/neggrad-plus")
    notes = gains(study, partial=True)["note"]
    assert (notes["random-10", "not"], notes["class-8", "neggrad-plus"]) == ("diverged", "missing")
    plot(study, "gain", partial=True)
    write_run(study, f"{RANDOM}/retrain/trial-0", status=DIVERGED)
    assert gains(study, partial=True)["note"]["random-10"].tolist() == ["diverged"] * 2


def test_an_improvement_has_an_interval_over_trials(study, copied) -> None:
    fill(study, {"neggrad-plus": 4.0, "neggrad-plus+cl": 1.0})
    # Equal trials do not tell how others would vary.
    assert gains(study).loc[("random-10", "neggrad-plus"), ["low", "high"]].isna().all()
    for trial, with_cl in enumerate((0.0, 1.0, 2.0)):
        write_run(study, f"{RANDOM}/neggrad-plus+cl/trial-{trial}", at_gap(with_cl))
    # Gaps of 1 point and standard error 1 / √3 of 4: 75 % and Student's 4.303 standard errors of a quarter of that.
    half = 25 * 4.3027 / np.sqrt(3)
    low, high = gains(study).loc[("random-10", "neggrad-plus"), ["low", "high"]]
    assert low == pytest.approx(75 - half, abs=0.01) and high == 100.0


def test_every_bar_shows_its_value_and_a_low_one_is_cut_off(study, copied) -> None:
    fill(study, {"neggrad-plus+cl": 1.0, "not": 1.0, "not+cl": 4.5})
    figure = plot(study, "gain")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts if text.get_text()] == ["75.0", "75.0", "−350\n▾", "−350\n▾"]
    assert min(bar.get_height() for bar in axes.patches) == improvement_figure.FLOOR
    low, high = axes.get_ylim()
    assert low < improvement_figure.FLOOR and high > 75
    assert axes.get_ylabel() == "Improvement (%)" and below(figure) == ["Error bars: 95 % intervals over 3 trials"]


def test_no_value_is_minus_zero(study, copied) -> None:
    fill(study, {"neggrad-plus+cl": 4.001, "not": 4.0, "not+cl": 4.001})
    assert {text.get_text() for text in plot(study, "gain").axes[0].texts} == {"0.0", ""}


def test_cells_that_do_not_fit_in_one_row_have_a_row_for_each_scenario() -> None:
    cells = [(f"d{number}", "vit", scenario) for scenario in ("random-10", "random-50") for number in range(5)]
    data = pd.DataFrame([(*cell, method) for cell in cells for method in "abc"])
    data.columns = ["dataset", "arch", "scenario", "method"]
    rows = improvement_figure.rows_of_bars(data, 3)
    assert [row["scenario"].unique().tolist() for row in rows] == [["random-10"], ["random-50"]]
    assert len(improvement_figure.rows_of_bars(data.query("scenario == 'random-10'"), 3)) == 1


def test_the_panel_of_a_missing_or_diverged_map_is_empty_and_says_why(study, copied) -> None:
    shutil.rmtree(paths.RESULTS / "maps" / CLASS)
    derived = study.derive(MAPS, study.run(f"{RANDOM}/ft/trial-0"), "random-10")
    for run in study.runs_of("compared"):
        write_run(study, str(run.name), status=DIVERGED if run.name == derived.run.name else FINISHED)
    path = paths.derived(derived.pool_path)
    write_parquet(path, pd.read_parquet(path).assign(**dict.fromkeys(COORDINATES, np.nan)))
    panels = plot(study, "compared", partial=True).axes
    remarks = [next((text.get_text() for text in panel.texts), "") for panel in panels]
    assert remarks == ["missing", CLASSES[0], "missing", "diverged"]


def test_the_map_of_a_collapsed_model_is_not_drawn(study, copied) -> None:
    write_run(study, f"{CLASS}/ft/trial-0", {"ra": 61.0})
    panels = plot(study, "compared").axes
    assert [text.get_text() for text in panels[2].texts] == ["collapsed:\nretain accuracy 61 %"]
    assert [bool(panel.collections) for panel in panels] == [True, True, False, True]


def test_headings_of_rows_and_columns_say_only_what_varies(study) -> None:
    single_row, grid = (maps_figure.panels(source(study, name)) for name in ("map", "compared"))
    cells = ["class-wise ‘8’", "random 10 %"]
    assert [[panel.method for panel in row] for row in grid] == [["original"] * 2, ["ft"] * 2]
    assert maps_figure.headings(single_row) == (["Retrain"], cells)
    assert maps_figure.headings(grid) == (["Original", "FT"], cells)


def test_the_heading_of_a_row_names_the_setting_of_each_cell(study, copied) -> None:
    figure = {"kind": "maps", "cells": [CLASS, RANDOM], "methods": ["coun", "coun@tau=0.2"]}
    tuned = changed(hyperparameters={RANDOM: {"coun": {"tau": 0.3}}}, tables={}, figures={"map": figure})
    beside, _ = maps_figure.headings(maps_figure.panels(source(tuned, "map", partial=True)))
    assert beside == ["CoUn\nτ = 0.1 / 0.3", "CoUn\nτ = 0.2"]


def test_maps_of_forget_samples_alone_are_headed_by_the_setting_and_the_silhouette(study, figures) -> None:
    grid = maps_figure.panels(source(study, "forgotten"))
    assert [[panel.method for panel in row] for row in grid] == [["coun", "coun@tau=0.2"]]
    for panel in grid[0]:
        # random-10 forgets the first 20 of 200 samples.
        assert panel.samples["index"].tolist() == list(range(20)) and panel.points.shape == (20, 2)
    values = [f"{panel.silhouette:.2f}".replace("-", "−") for panel in grid[0]]
    headings = [f"CoUn\nτ = {tau}\nsilhouette {value}" for tau, value in zip((0.1, 0.2), values, strict=True)]
    assert maps_figure.headings(grid, forgotten=True) == ([""], headings)
    axes = figures["forgotten"].axes[0]
    assert sum(len(dots.get_offsets()) for dots in axes.collections) == 20


def test_a_legend_below_the_maps_explains_dots_and_colours(figures) -> None:
    for figure, dots in zip(figures.values(), (["retained", "forgotten"], ["forgotten"]), strict=True):
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == [*dots, "colour: predicted class"]
        box = legend.get_window_extent()
        assert box.y0 >= 0 and box.y1 <= min(axes.get_window_extent().y0 for axes in figure.axes)


def test_compared_maps_are_rotated_alike(study) -> None:
    """Each map is written with a rotation of its own; after alignment the class centroids coincide."""
    panels = [panel for row in maps_figure.panels(source(study, "compared")) for panel in row]
    first, *others = (alignment.centroids(panel.points, panel.samples["label"].to_numpy()) for panel in panels)
    for other in others:
        assert np.abs(other - first).to_numpy().max() < 0.15


def test_names_of_classes_cover_neither_each_other_nor_the_edge() -> None:
    rng = np.random.default_rng(0)
    clusters = [rng.normal(size=(50, 2)) * 5 + 64 for _ in range(6)]
    sizes = np.tile([30.0, 10.0], (6, 1))
    centres = placing.places(clusters, sizes, (128, 128))
    for first, second in combinations(centres, 2):
        assert (np.abs(first - second) >= sizes[0]).any()
    assert (centres >= sizes / 2).all() and (centres <= 128 - sizes / 2).all()
    np.testing.assert_array_equal(centres, placing.places(clusters, sizes, (128, 128)))


def test_a_name_stands_beside_its_cluster_and_by_the_larger_of_two() -> None:
    (centre,) = placing.places([np.full((20, 2), 50.0)], np.array([[20.0, 10.0]]), (100, 100))
    offset = np.abs(centre - 50)
    assert (offset >= np.array([10, 5])).any() and np.linalg.norm(offset) < 20
    # Another class lies between the two clusters, at the median of their samples.
    rng = np.random.default_rng(0)
    larger, smaller, between = (
        rng.normal(size=(count, 2)) * 4 + at for count, at in ((60, (30, 100)), (58, (170, 100)), (200, (100, 100)))
    )
    centres = placing.places([np.concatenate([larger, smaller]), between], np.tile([20.0, 10.0], (2, 1)), (200, 200))
    assert np.linalg.norm(centres - [[30, 100], [100, 100]], axis=1).max() < 25
