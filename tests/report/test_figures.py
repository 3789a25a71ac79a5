from __future__ import annotations

import re
import shutil
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.data.splits import write_split
from benchmark.errors import BadInput, StaleOutput
from benchmark.features import alignment
from benchmark.features import projections as embeddings
from benchmark.files import write_parquet
from benchmark.report.draw import build, draw_figure
from benchmark.report.figures import improvement_figure, maps_figure, placing
from benchmark.report.page import draw_page
from benchmark.report.style import class_colours
from benchmark.results import records
from benchmark.results.gather import collect
from benchmark.study.outputs import DISTANCES, KINDS, MAPS, VIEWS
from benchmark.study.study import Study
from tests.places import split_file
from tests.report.conftest import POOL, STUDY, gap, source, write_distances, write_images, write_map, write_run

CELL = "digits/convnet/random-10"


@pytest.fixture
def mapped(study):
    for seed, one in enumerate(one for one in study.derived if one.what == MAPS):
        write_map(study, str(one.run.name), one.scenario, seed)
    return study


def fill(study, gaps) -> None:
    for run in study.runs_of("gain"):
        write_run(study, str(run.name), gap(gaps.get(run.name.method, 4.0)))


def gains(study, partial: bool = False) -> pd.DataFrame:
    return improvement_figure.gains(source(study, "gain", partial)).set_index(["scenario", "method"])


def test_improvement_is_positive_where_the_gap_shrinks(study) -> None:
    fill(study, {"retrain": 0.0, "neggrad-plus": 4.0, "neggrad-plus+cl": 1.0, "not": 2.0, "not+cl": 3.0})
    data = gains(study).loc["random-10"]
    assert data["improvement"].to_dict() == pytest.approx({"neggrad-plus": 75, "not": -50})
    assert (data["note"] == "").all()


def test_improvement_says_why_there_is_none(study) -> None:
    fill(study, {"retrain": 0.0, "not": 0.0})
    assert gains(study).loc["random-10", "note"].to_dict() == {"neggrad-plus": "", "not": "gap 0"}
    write_run(study, f"{CELL}/not+cl/trial-0", status=records.DIVERGED)
    shutil.rmtree(paths.RUNS / "digits/convnet/class-8/neggrad-plus")
    with pytest.raises(StaleOutput):
        draw_figure(study, "gain")
    notes = gains(study, partial=True)["note"]
    assert (notes["random-10", "not"], notes["class-8", "neggrad-plus"]) == ("diverged", "missing")
    draw_figure(study, "gain", partial=True)


def test_every_bar_has_its_value_and_a_low_one_is_cut(study) -> None:
    fill(study, {"retrain": 0.0, "neggrad-plus+cl": 1.0, "not": 1.0, "not+cl": 4.5})
    axes = build(source(study, "gain")).axes[0]
    assert [text.get_text() for text in axes.texts if text.get_text()] == ["75.0", "75.0", "−350\n▾", "−350\n▾"]
    assert min(bar.get_height() for bar in axes.patches) == improvement_figure.FLOOR
    low, high = axes.get_ylim()
    assert low < improvement_figure.FLOOR and high > 75
    assert axes.get_ylabel() == "Improvement (%)\nover 3 trials"


def test_cells_that_do_not_fit_stand_in_a_row_a_scenario() -> None:
    cells = [(f"d{number}", "vit", scenario) for scenario in ("random-10", "random-50") for number in range(5)]
    data = pd.DataFrame([(*cell, method) for cell in cells for method in "abc"])
    data.columns = ["dataset", "arch", "scenario", "method"]
    rows = improvement_figure.rows_of_bars(data, 3)
    assert [row["scenario"].unique().tolist() for row in rows] == [["random-10"], ["random-50"]]
    assert len(improvement_figure.rows_of_bars(data.query("scenario == 'random-10'"), 3)) == 1


VIEWS_FIGURE = """
  apart: {kind: theory, cells: [digits/convnet/class-8, digits/convnet/random-10], methods: [retrain, ft]}
"""


@pytest.fixture
def complete(study: Study) -> Study:
    """The study with a figure of every kind, and every run and derived file that they show."""
    paths.study_file("tiny").write_text(STUDY.rstrip() + VIEWS_FIGURE, encoding="utf-8")
    study = Study.load("tiny")
    gone = {"random-20": [1] * 40, "sequential-2x10": [1] * 20 + [2] * 20}
    for scenario, stages in gone.items():
        frame = pd.DataFrame({"split": "train", "index": np.arange(len(stages)), "stage": stages})
        write_split(split_file("tiny", scenario), frame)
    for run in study.runs():
        stages = [{"epoch": 1, "stage": 1}, {"epoch": 2, "stage": 2}]
        write_run(study, str(run.name), epochs=stages if run.name.scenario == "sequential-2x10" else None)
    write_images(study)
    rng = np.random.default_rng(0)
    for one in study.derived:
        if one.what == MAPS:
            write_map(study, str(one.run.name), one.scenario)
        if one.what == DISTANCES:
            write_distances(study, str(one.run.name), one.scenario, {8: {1: 0.5}})
        if one.what == VIEWS:
            label, far = np.arange(100) % 10, rng.uniform(size=100)
            columns = {"label": label, "prediction": label, "nearest": label, "max_distance": far}
            frame = pd.DataFrame({"index": np.arange(100), "membership": ["retain", "forget"] * 50, **columns})
            write_parquet(paths.derived(one.place), frame)
    return study


def test_every_figure_and_the_page_can_be_drawn_from_the_gathered_files_alone(complete, monkeypatch, capsys) -> None:
    # Made-up samples do not say what histories say.
    monkeypatch.setattr("benchmark.results.gather.check_evaluations", lambda *_: None)
    a_kind_each = {output.kind: name for name, output in complete.figures.items()}
    assert set(a_kind_each) == set(KINDS["figures"])
    drawn = {name: [path.read_bytes() for path in draw_figure(complete, name)] for name in a_kind_each.values()}
    assert all(pdf.startswith(b"%PDF") and png.startswith(b"\x89PNG") for pdf, png in drawn.values())
    collect(complete)
    page = draw_page(complete).read_text(encoding="utf-8")
    for folder in (*POOL, complete.dataset_folder("digits")):
        shutil.rmtree(folder)
    alone = Study.load("tiny")
    for name, before in drawn.items():
        assert [path.read_bytes() for path in draw_figure(alone, name)] == before, name
    assert "drawn from results/tiny-metrics.parquet" in capsys.readouterr().out
    shown = re.compile(r'<tr data-dataset.*?</tr>|"curves":.*?"maps":', re.S)
    later = draw_page(alone).read_text(encoding="utf-8")
    assert shown.findall(later) == shown.findall(page) != []
    assert '"panels":' in later and '"predictions":[]' in later and '"sprite":null' in later


def test_unknown_figure_is_refused(study) -> None:
    with pytest.raises(BadInput, match="unknown figure 'gaps'"):
        draw_figure(study, "gaps")


def test_missing_map_waits_or_leaves_its_panel_empty(mapped) -> None:
    shutil.rmtree(paths.RESULTS / "maps/digits/convnet/class-8")
    with pytest.raises(StaleOutput):
        draw_figure(mapped, "compared")
    grid = maps_figure.panels(source(mapped, "compared", partial=True))
    assert [panel.samples.empty for panel in grid[0]] == [True, True, False, False]
    draw_figure(mapped, "compared", partial=True)


def test_a_map_of_a_run_that_diverged_is_an_empty_panel_that_says_so(mapped) -> None:
    one = next(one for one in mapped.derived if one.what == MAPS and one.run.name.method == "ft")
    for run in mapped.runs_of("compared"):
        write_run(mapped, str(run.name), status=records.DIVERGED if run.name == one.run.name else records.FINISHED)
    path = paths.derived(one.place)
    write_parquet(path, pd.read_parquet(path).assign(**dict.fromkeys(embeddings.COORDINATES, np.nan)))
    texts = [text.get_text() for axes in build(source(mapped, "compared")).axes for text in axes.texts]
    assert texts.count("diverged") == 2 and "missing" not in texts


def test_rows_and_columns_and_what_their_headings_say_once(mapped) -> None:
    one, several = (maps_figure.panels(source(mapped, name)) for name in ("map", "compared"))
    assert [[panel.projection for panel in row] for row in one] == [["tsne"] * 2, ["umap"] * 2]
    assert [[panel.method for panel in row] for row in several] == [["original"] * 4, ["ft"] * 4]
    assert [panel.projection for panel in several[0]] == ["tsne", "umap"] * 2
    assert maps_figure.headings(one) == (["Retrain, t-SNE", "Retrain, UMAP"], ["class-wise ‘8’", "random 10 %"])
    beside, above = maps_figure.headings(several)
    assert beside == ["Original", "FT"]
    assert above[:3] == ["class-wise ‘8’\nt-SNE", "class-wise ‘8’\nUMAP", "random 10 %\nt-SNE"]


def test_maps_of_forget_samples_alone_stand_side_by_side_under_what_differs(mapped) -> None:
    grid = maps_figure.panels(source(mapped, "forgotten"))
    assert [[panel.projection for panel in row] for row in grid] == [["tsne"] * 2, ["umap"] * 2]
    assert [panel.method for panel in grid[0]] == ["coun", "coun@tau=0.2"]
    for panel in grid[0]:
        # random-10 forgets the first 20 of 200 samples.
        assert panel.samples["index"].tolist() == list(range(20)) and panel.points.shape == (20, 2)
    assert maps_figure.headings(grid) == (["t-SNE", "UMAP"], ["CoUn\nτ = 0.1", "CoUn\nτ = 0.2"])
    axes = build(source(mapped, "forgotten")).axes[0]
    assert sum(len(dots.get_offsets()) for dots in axes.collections) == 20


@pytest.mark.parametrize(("name", "dots"), [("compared", ["retained", "forgotten"]), ("forgotten", ["forgotten"])])
def test_a_line_below_the_maps_says_what_dots_and_colours_stand_for(mapped, name, dots) -> None:
    figure = build(source(mapped, name))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*dots, "colour: predicted class"]
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert box.y0 >= 0 and box.y1 <= min(axes.get_window_extent().y0 for axes in figure.axes)


def test_compared_maps_are_turned_alike(mapped) -> None:
    """The helper turns and mirrors each map as it likes: after alignment class centroids lie together."""
    panels = [panel for row in maps_figure.panels(source(mapped, "compared")) for panel in row]
    first, *others = (alignment.centroids(p.points, p.samples["label"].to_numpy()) for p in panels)
    for other in others:
        assert np.abs(other - first).to_numpy().max() < 0.15


@pytest.mark.parametrize("mirror", [1, -1])
def test_alignment_undoes_a_known_rotation_exactly(mirror) -> None:
    rng = np.random.default_rng(0)
    points, label = rng.normal(size=(60, 2)) * [3, 1], np.arange(60) % 5
    angle = 1.2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1, mirror])
    standard = alignment.standardised(points)
    back = alignment.aligned(7 * points @ turn + [30, -4], label, alignment.centroids(standard, label))
    np.testing.assert_allclose(back, standard, atol=1e-12)


def test_alignment_of_maps_without_common_classes_or_extent() -> None:
    target = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]}, index=[8, 9])
    np.testing.assert_array_equal(alignment.aligned(np.ones((3, 2)), np.array([0, 1, 2]), target), np.zeros((3, 2)))
    with pytest.raises(BadInput, match="1 coordinates"):
        alignment.standardised(np.array([[0.0, np.nan]]))


def test_names_cover_neither_each_other_nor_the_edge() -> None:
    rng = np.random.default_rng(0)
    clusters = [rng.normal(size=(50, 2)) * 5 + 64 for _ in range(6)]
    sizes = np.tile([30.0, 10.0], (6, 1))
    centres = placing.places(clusters, sizes, (128, 128))
    for one, other in combinations(centres, 2):
        assert (np.abs(one - other) >= sizes[0]).any()
    assert (centres >= sizes / 2).all() and (centres <= 128 - sizes / 2).all()
    np.testing.assert_array_equal(centres, placing.places(clusters, sizes, (128, 128)))


def test_a_name_stands_beside_a_small_cluster() -> None:
    (centre,) = placing.places([np.full((20, 2), 50.0)], np.array([[20.0, 10.0]]), (100, 100))
    away = np.abs(centre - 50)
    assert (away >= np.array([10, 5])).any() and np.linalg.norm(away) < 20


def test_class_colours_are_distinct() -> None:
    for classes in (2, 10, 100):
        assert len(set(class_colours(classes))) == classes


# --- embeddings -----------------------------------------------------------------------------------------------------


def test_maps_are_deterministic_and_separate_clusters() -> None:
    rng = np.random.default_rng(0)
    label = np.arange(90) % 3
    features = (rng.normal(size=(90, 60)) + 10 * rng.normal(size=(3, 60))[label]).astype("float32")
    first = embeddings.maps(features, seed=1)
    pd.testing.assert_frame_equal(first, embeddings.maps(features, seed=1))
    assert list(first) == ["tsne_x", "tsne_y", "umap_x", "umap_y"] and len(first) == 90
    for projection in ("tsne", "umap"):
        points = first[[f"{projection}_x", f"{projection}_y"]].to_numpy()
        centres = alignment.centroids(points, label).to_numpy()
        nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
        assert (nearest == label).mean() > 0.95


@pytest.mark.parametrize("features", [np.ones((20, 4)), np.zeros((8, 60)), np.eye(6)[:, :1], np.eye(5)])
def test_maps_of_collapsed_or_few_features_are_finite(features, recwarn) -> None:
    assert np.isfinite(embeddings.maps(features, seed=0)).all(axis=None)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("features", "told"), [(np.ones((4, 3)), "at least 5"), (np.ones(9), "shape"), (np.full((9, 2), np.inf), "9 of 9")]
)
def test_maps_refuse_bad_features(features, told) -> None:
    with pytest.raises(BadInput, match=told):
        embeddings.maps(features, seed=0)
