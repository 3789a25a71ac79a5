from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.features import alignment
from benchmark.features import projections as embeddings
from benchmark.files import write_parquet
from benchmark.report.figures import improvement_figure, maps_figure, placing
from benchmark.report.figures.draw import build, draw_figure
from benchmark.report.style import class_colours
from benchmark.results import records
from benchmark.study.outputs import MAPS
from tests.report.conftest import source, write_map, write_run

CELL = "digits/convnet/random-10"


@pytest.fixture
def mapped(study):
    for seed, one in enumerate(one for one in study.derived if one.what == MAPS):
        write_map(study, str(one.run.name), one.scenario, seed)
    return study


def gap(points: float) -> dict[str, float]:
    """Metrics whose average gap to ``gap(0)`` is so many points."""
    return {"ra": 90.0 - points, "ua": 10.0 + points, "ta": 80.0 - points, "mia": 20.0 + points}


def fill(study, gaps) -> None:
    for run in study.runs_of("gain"):
        write_run(study, str(run.name), gap(gaps.get(run.name.method, 4.0)))


def test_improvement_signs(study) -> None:
    fill(study, {"retrain": 0.0, "neggrad-plus": 4.0, "neggrad-plus+cl": 1.0, "not": 2.0, "not+cl": 3.0})
    data = improvement_figure.gains(source(study, "gain")).query("scenario == 'random-10'").set_index("method")
    assert data.loc["neggrad-plus", "improvement"] == pytest.approx(75)
    assert data.loc["not", "improvement"] == pytest.approx(-50)
    assert (data["note"] == "").all()


def test_improvement_says_what_is_missing_or_diverged(study) -> None:
    fill(study, {"retrain": 0.0})
    write_run(study, f"{CELL}/not+cl/trial-0", status=records.DIVERGED)
    shutil.rmtree(paths.run("tiny", "digits/convnet/class-8/neggrad-plus"))
    with pytest.raises(StaleOutput):
        draw_figure(study, "gain")
    notes = improvement_figure.gains(source(study, "gain", partial=True)).set_index(["scenario", "method"])["note"]
    assert notes["random-10", "not"] == "diverged"
    assert notes["class-8", "neggrad-plus"] == "missing"
    draw_figure(study, "gain", partial=True)


def test_a_gap_of_nothing_is_not_called_missing(study) -> None:
    fill(study, {"retrain": 0.0, "not": 0.0})
    data = improvement_figure.gains(source(study, "gain")).query("scenario == 'random-10'").set_index("method")
    assert data["note"].to_dict() == {"neggrad-plus": "", "not": "gap 0"}


def test_every_bar_has_its_value_and_a_low_one_is_cut(study) -> None:
    fill(study, {"retrain": 0.0, "neggrad-plus+cl": 1.0, "not": 1.0, "not+cl": 4.5})
    axes = build(source(study, "gain")).axes[0]
    assert [text.get_text() for text in axes.texts] == ["75.0", "75.0", "−350\n▾", "−350\n▾"]
    assert min(bar.get_height() for bar in axes.patches) == improvement_figure.FLOOR
    low, high = axes.get_ylim()
    assert low < improvement_figure.FLOOR and high > 75
    assert axes.get_ylabel() == "Improvement (%)\nover 3 trials"


def test_cells_that_do_not_fit_stand_in_a_row_a_scenario() -> None:
    cells = [(f"d{number}", "vit", scenario) for scenario in ("random-10", "random-50") for number in range(5)]
    data = pd.DataFrame([(*cell, method) for cell in cells for method in "abc"])
    data.columns = ["dataset", "arch", "scenario", "method"]
    assert [row["scenario"].unique().tolist() for row in improvement_figure.rows_of_bars(data, 3)] == [
        ["random-10"],
        ["random-50"],
    ]
    assert len(improvement_figure.rows_of_bars(data.query("scenario == 'random-10'"), 3)) == 1


@pytest.mark.parametrize("name", ["gain", "map", "compared"])
def test_same_data_gives_same_bytes(mapped, name) -> None:
    if name == "gain":
        fill(mapped, {"retrain": 0.0})
    first = [path.read_bytes() for path in draw_figure(mapped, name)]
    assert first[0].startswith(b"%PDF") and first[1].startswith(b"\x89PNG")
    assert [path.read_bytes() for path in draw_figure(mapped, name)] == first


def test_unknown_figure_is_refused(study) -> None:
    with pytest.raises(BadInput, match="unknown figure 'gaps'"):
        draw_figure(study, "gaps")


def test_missing_map_waits_or_leaves_its_panel_empty(mapped) -> None:
    shutil.rmtree(paths.RESULTS / "tiny" / "maps" / "digits" / "convnet" / "class-8")
    with pytest.raises(StaleOutput):
        draw_figure(mapped, "compared")
    grid = maps_figure.panels(source(mapped, "compared", partial=True))
    assert [panel.samples.empty for panel in grid[0]] == [True, True, False, False]
    draw_figure(mapped, "compared", partial=True)


def test_a_map_of_a_run_that_diverged_is_an_empty_panel_that_says_so(mapped) -> None:
    one = next(one for one in mapped.derived if one.what == MAPS and one.run.name.method == "ft")
    for run in mapped.runs_of("compared"):
        write_run(mapped, str(run.name), status=records.DIVERGED if run.name == one.run.name else records.FINISHED)
    path = paths.derived("tiny", one)
    write_parquet(path, pd.read_parquet(path).assign(**dict.fromkeys(embeddings.COORDINATES, np.nan)))
    told = [text.get_text() for axes in build(source(mapped, "compared")).axes for text in axes.texts]
    assert told.count("diverged") == 2 and "missing" not in told


def test_layouts(mapped) -> None:
    one, several = maps_figure.panels(source(mapped, "map")), maps_figure.panels(source(mapped, "compared"))
    assert [[panel.projection for panel in row] for row in one] == [["tsne"] * 2, ["umap"] * 2]
    assert [[panel.method for panel in row] for row in several] == [["original"] * 4, ["ft"] * 4]
    assert [panel.projection for panel in several[0]] == ["tsne", "umap"] * 2


def test_maps_of_forget_samples_alone_stand_side_by_side_under_what_differs(mapped) -> None:
    grid = maps_figure.panels(source(mapped, "forgotten"))
    assert [[panel.projection for panel in row] for row in grid] == [["tsne"] * 2, ["umap"] * 2]
    assert [panel.method for panel in grid[0]] == ["coun", "coun@tau=0.2"]
    for panel in grid[0]:
        # random-10 forgets the first 20 of 200 samples.
        assert panel.samples["index"].tolist() == list(range(20)) and panel.points.shape == (20, 2)
    beside, above = maps_figure.headings(grid)
    assert beside == ["t-SNE", "UMAP"]
    assert above == ["CoUn\nτ = 0.1", "CoUn\nτ = 0.2"]
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


def test_headings_say_once_what_a_row_or_column_shows(mapped) -> None:
    one, several = (maps_figure.headings(maps_figure.panels(source(mapped, name))) for name in ("map", "compared"))
    assert one == (["Retrain, t-SNE", "Retrain, UMAP"], ["class-wise ‘8’", "random 10 %"])
    assert several[0] == ["Original", "FT"]
    assert several[1][:3] == ["class-wise ‘8’\nt-SNE", "class-wise ‘8’\nUMAP", "random 10 %\nt-SNE"]


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
    for one in range(6):
        for other in range(one):
            assert (np.abs(centres[one] - centres[other]) >= sizes[0]).any()
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
