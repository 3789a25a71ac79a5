"""What ``snakemake --report`` shows of a finished study."""

import base64
import html
import json
import re
from pathlib import Path

import pytest

from benchmark import paths
from benchmark.report import snakemake_report
from benchmark.study.study import Study
from tests.project import Project
from tests.report.browser import MISSING, chromium, opened
from tests.workflow.conftest import SHOWN

DRAWN = "<!doctype html><title>drawn</title><p>what is drawn</p>"


@pytest.fixture(scope="module")
def reported(laid_out, tmp_path_factory) -> Path:
    """A study whose tables, pictures and page hold a line of text each, with its report."""
    with pytest.MonkeyPatch.context() as patch:
        project = Project.copied(laid_out, tmp_path_factory.mktemp("reported") / "study", patch)
        for path in [*paths.TABLES.glob("tiny/*.html"), paths.page("tiny")]:
            path.write_text(DRAWN)
        project.snakemake("all", "--touch", check=True)
        project.snakemake("all", "--report", "report.html", check=True)
    return project.root


@pytest.fixture
def report(reported, monkeypatch) -> Path:
    """The report, in the folder of its study."""
    monkeypatch.chdir(reported)
    return reported / "report.html"


def embedded(report: Path, name: str):
    """Return what the report's own script holds under a name."""
    text = re.search(rf'<script id="{name}">\s*var \w+ = (.*?);\s*</script>', report.read_text(), re.DOTALL)
    assert text
    return json.loads(text[1])


@pytest.mark.slow
def test_every_table_and_figure_is_shown_with_its_caption_category_and_labels(report):
    study = Study.load("tiny")
    results = embedded(report, "results")
    page = paths.page("tiny")
    expected = {str(page): ("Page", {"name": "results page"})}
    for name in study.outputs:
        table = name in study.tables
        for suffix in (".csv", ".html") if table else (".pdf", ".png"):
            path = (paths.table if table else paths.figure)("tiny", name, suffix)
            screen = "yes" if suffix in (".html", ".png") else "no"
            labels = {"name": name, "kind": study.output(name).kind, "dataset": "Digits", "for the screen": screen}
            expected[str(path)] = ("Tables" if table else "Figures", labels)
    assert results.keys() == expected.keys()
    categories = embedded(report, "categories").items()
    listed = {path: category for category, below in categories for part in below.values() for path in part}
    for path, (category, labels) in expected.items():
        assert results[path]["labels"] == labels and listed[path] == category
        assert results[path]["caption"].startswith(f"<p>{labels['name']}: " if category != "Page" else "<p>All results")
        assert "Remade by" in results[path]["caption"]
    text = re.sub(r"<[^>]+>", "", results["figures/tiny/figure3.png"]["caption"])
    facts = ("Digits, ConvNet, class-wise", "FT, CoUn", "figures/tiny/figure3.pdf", "all figure3 --config study=tiny")
    assert all(fact in text for fact in facts), text
    data = results["paper_tables/tiny/table2.html"]["data_uri"]
    assert base64.b64decode(data.partition(",")[2]).decode() == DRAWN
    text = embedded(report, "workflow-desc")
    for fact in ("config/tiny.yaml", "table2, table8, table9, hyperparameters", "figure1, figure3", "Retrain"):
        assert fact in text


def test_a_caption_says_how_many_trials_are_shown(fresh):
    text = snakemake_report.captions(fresh.study(SHOWN, {"tables": {"table2": {"trials": 1}}, "trials": 2}))
    matches = {name: re.search(r":Trials: (.+)", text[name]) for name in Study.load("tiny").outputs}
    trials = {name: match[1] for name, match in matches.items() if match}
    assert trials["table2"] == "1" and trials["table8"] == "2" and "hyperparameters" not in trials
    assert {trials[name] for name in ("figure1", "figure3", "figure11")} == {"the first"}


def test_nothing_that_a_caption_says_is_taken_for_markup(fresh):
    caption = "*Not* a `role`, |nor| one_ [1]_ :sub:`x` {{ 7 * 7 }} <b>"
    study = fresh.study(SHOWN, {"tables": {"table2": {"caption": caption}}})
    from docutils.core import publish_parts

    body = publish_parts(snakemake_report.captions(study)["table2"], writer="html")["body"]
    assert html.unescape(re.sub(r"<[^>]+>", "", body)).startswith(f"table2: {caption}.")
    assert "system-message" not in body


@pytest.mark.slow
@pytest.mark.skipif(MISSING, reason="needs Chromium and playwright")
def test_the_report_opens_without_a_network_and_shows_a_table(report):
    with chromium() as browser, opened(browser, report) as page:
        page.get_by_text("Tables", exact=True).click()
        page.get_by_role("row").filter(has_text="table2").get_by_role("link").first.click()
        page.wait_for_selector("iframe")
