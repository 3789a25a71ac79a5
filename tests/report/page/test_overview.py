"""The page over all studies: its data, and what weights, methods and the address do in a browser."""

import json
import re
from dataclasses import replace

import pytest

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.report.overview import cells, draw_overview
from benchmark.results import frames
from tests.report.browser import MISSING, chromium, opened

RANKED = "[...document.querySelectorAll('#ranking tbody tr')].map(row => row.dataset.method)"


@pytest.fixture(scope="module")
def overview(filled):
    """The page over one study, with FT 1.25 and CoUn 0.75 points from Retrain in all four metrics."""
    return draw_overview([filled.name, "never-run"]).resolve()


def test_the_overview_has_every_methods_trials_and_its_predictions_for_some_images(overview) -> None:
    html = overview.read_text()
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html)[1])
    cell = next(cell for cell in data["cells"] if cell["name"].endswith("random-10"))
    gaps = {
        method["name"]: [abs(value - retrain) for value, retrain in zip(*method["metrics"][0], strict=True)]
        for method in cell["methods"]
    }
    assert gaps["ft"] == pytest.approx([1.25] * 4) and gaps["coun"] == pytest.approx([0.75] * 4)
    images = data["images"][cell["images"]]
    assert images["sprite"] and len(images["index"]) == len(images["labels"]) <= 48
    predictions = {method["name"]: method["trials"] for method in images["predictions"]}
    assert {"retrain", "ft", "coun"} <= predictions.keys()
    assert len(predictions["ft"]["0"][0]) == len(images["index"])


def test_a_method_without_the_first_trial_keeps_the_numbers_of_the_others(filled) -> None:
    results = frames.of_study(filled)
    runs = [run for run in results.runs if (str(run.name.method), run.name.trial) != ("ft", 0)]
    cell = next(cell for name, cell in cells.build(replace(results, runs=runs)) if name.scenario == "random-10")
    assert all(len(method["metrics"]) == len(method["trials"]) for method in cell["methods"])
    trials = {method["name"]: method["trials"] for method in cell["methods"]}
    assert trials["coun"] == [0, 1] and trials["ft"] == [1]


def test_images_can_be_left_out_and_results_are_required(filled, tmp_path, monkeypatch) -> None:
    assert "data:image" not in draw_overview([filled.name], images=False).read_text()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StaleOutput, match="no study has gathered results"):
        draw_overview(["quick"])


def test_a_study_that_has_changed_is_marked_and_one_that_cannot_be_read_is_left_out(filled, capsys) -> None:
    file = paths.study_file(filled.name)
    content = file.read_text()
    try:
        file.write_text(content + "\nseed: 12345\n")
        assert "runs are missing or of another configuration" in draw_overview([filled.name]).read_text()
        file.write_text(content + "\nno_setting: 1\n")
        with pytest.raises(StaleOutput, match="no study has gathered results"):
            draw_overview([filled.name])
        assert f"study {filled.name} is left out: {file}: " in capsys.readouterr().out
    finally:
        file.write_text(content)
    audits = paths.gathered(filled.name, "audits")
    gathered = audits.read_bytes()
    try:
        audits.unlink()
        with pytest.raises(StaleOutput, match="no study has gathered results"):
            draw_overview([filled.name])
        assert f"study {filled.name} is left out: {audits} is missing" in capsys.readouterr().out
    finally:
        audits.write_bytes(gathered)
    assert "of another configuration" not in draw_overview([filled.name]).read_text()


@pytest.mark.ci
@pytest.mark.skipif(MISSING, reason="needs Chromium and playwright")
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_weights_change_ranks_and_the_address_restores_them(overview, width, scheme) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright")
    with chromium() as browser:
        with opened(browser, overview, width=width, color_scheme=scheme, reduced_motion="reduce") as page:
            page.wait_for_selector("html[data-ready=yes]")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(RANKED)[:2] == ["coun", "ft"]
            assert ": means over 2 trials." in page.inner_text("#ranking-caption")  # Original, not shown, has one
            for key in ("ra", "ua", "ta", "mia"):
                page.fill(f"#weight-{key}", "0")
            page.fill("#weight-cost", "2")
            page.dispatch_event("#weight-cost", "change")
            by_cost = page.evaluate(RANKED)
            assert by_cost.index("ft") < by_cost.index("coun")
            page.click("#thumbs button:nth-child(3)")
            page.click("#methods label:has-text('CoUn')")
            view = page.evaluate("location.hash")[1:]
            result = axe.Axe().run(page, options={"resultTypes": ["violations"]})
            assert len(result["passes"]) > 15 and not result["violations"]
            caption = page.inner_text("#image-table caption")
        with opened(browser, overview, view, width=width) as page:
            page.wait_for_selector("html[data-ready=yes]")
            assert "coun" not in page.evaluate(RANKED) and page.input_value("#weight-cost") == "2"
            assert page.inner_text("#image-table caption") == caption
