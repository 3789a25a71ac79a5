"""The results page: what it holds, and that a browser shows it without a fault or a request."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.data.store import facts
from benchmark.errors import StaleOutput
from benchmark.files import write_json
from benchmark.metrics.reported import reported_summary
from benchmark.metrics.verdicts import UNTESTED
from benchmark.report.page import draw_page, maps, sprites
from benchmark.report.tables.draw import draw_table
from benchmark.results.gather import collect
from benchmark.study.study import Study
from tests.conftest import ROOT
from tests.report.browser import Browser, chromium
from tests.report.conftest import CLASSES, TRAIN, gap, write_images, write_map, write_run

CELL, SEQUENTIAL = "digits/convnet/random-10", "digits/convnet/sequential-2x10"
STUDY = """
description: A study in miniature
trials: 2
datasets:
  digits: {source: digits}
hyperparameters:
  "*":
    training: {epochs: 3, lr: 0.1}
    unlearning: {epochs: 2}
tables:
  gaps: &gaps
    kind: unlearning
    caption: Two cells
    cells: [digits/convnet/random-10, digits/convnet/class-8]
    methods: [original, ft, not, coun, "coun@tau=0.2"]
  claims: {kind: claims}
figures:
  compared:
    <<: *gaps
    kind: maps
    methods: [retrain, ft]
"""
HOSTILE = "<img src=x onerror=alert(1)></script>"


def after(level: float, away: float) -> dict[str, float]:
    """Metrics that all lie so many points below a level."""
    return dict.fromkeys(("ra", "ua", "ta", "mia"), level - away)


@pytest.fixture
def shown(study: Study) -> Study:
    """A study of two cells, where the fixtures' own study has its dataset and its splits."""
    paths.study_file(study.name).write_text(STUDY, encoding="utf-8")
    return Study.load(study.name)


@pytest.fixture
def filled(shown: Study, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The same with every run and map, with gaps that can be looked up, and its images."""
    # The metrics are chosen, not computed from the samples, which collecting would say.
    monkeypatch.setattr("benchmark.results.gather.check_evaluations", lambda *_: None)
    gaps = {"retrain": 0.0, "ft": 1.25, "coun": 0.75}
    for run in shown.runs():
        metrics = gap(gaps.get(run.name.method, 4.0))
        write_run(shown, str(run.name), metrics, prediction=np.arange(TRAIN) % 10)
    for seed, one in enumerate(shown.derived):
        write_map(shown, str(one.run.name), one.scenario, seed)
    write_images(shown)
    collect(shown)
    draw_table(shown, "claims")
    return shown


@pytest.fixture
def page(filled: Study) -> Path:
    return draw_page(filled)


@pytest.fixture
def staged(study: Study) -> Path:
    """The page of a study of sequential removal alone: FT is 1 and 2 points from the first Retrain, 5 from the last."""
    figure = f"figures:\n  removed: {{kind: stages, cells: [{SEQUENTIAL}], methods: [ft]}}\n"
    paths.study_file(study.name).write_text(STUDY[: STUDY.index("tables:")] + figure, encoding="utf-8")
    study = Study.load(study.name)
    history = [(1, 90.0, 1.0), (1, 90.0, 2.0), (2, 80.0, 5.0)]
    rows = enumerate(history, 1)
    epochs = [{**after(level, away), "epoch": epoch, "stage": stage} for epoch, (stage, level, away) in rows]
    for trial in range(2):
        write_run(study, f"{CELL}/retrain/trial-{trial}", after(90.0, 0.0))
        write_run(study, f"digits/convnet/random-20/retrain/trial-{trial}", after(80.0, 1.0 - 2 * trial))
        write_run(study, f"{SEQUENTIAL}/ft/trial-{trial}", epochs=epochs)
    return draw_page(study, partial=True)


def own(text: str) -> str:
    """The page without the plotting library, which names addresses that it never asks for."""
    library = max(re.findall(r"<script>.*?</script>", text, re.S), key=len)
    return text.replace(library, "")


def words(text: str) -> str:
    """What a reader sees, without tags and line breaks."""
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def data_of(text: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])


def test_page_holds_the_numbers(page) -> None:
    text = own(page.read_text(encoding="utf-8"))
    row = re.search(
        r'<tr data-dataset="digits" data-arch="convnet" data-scenario="random-10" data-method="ft".*?</tr>', text, re.S
    )[0]
    shown = [re.sub(r"<[^>]*>|\s+", " ", cell).split()[:1] for cell in re.findall(r"<td.*?</td>", row, re.S)]
    numbers = [cell[0] for cell in shown if cell]
    assert numbers[3:12] == ["1.25", "88.75", "1.25", "11.25", "1.25", "78.75", "1.25", "21.25", "1.25"]
    cell = next(cell for cell in data_of(text)["curves"]["cells"] if cell["name"] == CELL)
    method = next(method for method in cell["methods"] if method["name"] == "coun")
    assert method["avg_gap"][-1] == 0.75 and method["epoch"] == [1, 2]
    assert f"python -m benchmark run tiny {CELL}/ft/trial-1" in text
    assert "float32" in text and "0" * 40 in text
    assert '<th scope="col" class="number">MiB</th>' in text


def test_the_claims_stand_with_their_verdicts(filled, page) -> None:
    section = re.search(r'<section id="claims".*?</section>', own(page.read_text(encoding="utf-8")), re.S)[0]
    # FT leaves a gap of 1.25 and CoUn one of 0.75, in every trial.
    test = "adding CL lowers the average gap Tables 9, 10 Digits, ConvNet, random 10 % FT with the term 0.50"
    assert f"{test} all trials are alike: no interval undecided" in words(section)
    assert "one trial" not in words(section)
    assert "batch size 256 is best Figure 10 needs CoUn at batch size 256 and another not tested" in words(section)
    paths.table("tiny", "claims", ".csv").unlink()
    with pytest.raises(StaleOutput, match=r"claims\.csv is missing"):
        draw_page(filled)
    assert 'id="claims"' not in draw_page(filled, partial=True).read_text(encoding="utf-8")


def test_a_claim_with_an_interval_says_what_limits_it(filled) -> None:
    path = paths.table("tiny", "claims", ".csv")
    table = pd.read_csv(path)
    tested = table["verdict"] != UNTESTED
    table.loc[tested, ["low", "high", "remark"]] = [0.25, 0.75, "diverged: FT in 1"]
    table.to_csv(path, index=False)
    text = own(draw_page(filled).read_text(encoding="utf-8"))
    assert "FT with the term (diverged: FT in 1) 0.50 0.25 to 0.75 undecided" in words(text)


def test_what_collapsed_is_marked_by_the_number_that_decides(filled, monkeypatch) -> None:
    monkeypatch.setattr("benchmark.results.measured.COLLAPSE", 1.5)  # points: NoT's retain accuracy is 86
    write_run(filled, "digits/convnet/original/trial-0", {"ra": 90.0})
    text = own(draw_page(filled, partial=True).read_text(encoding="utf-8"))
    assert "retain accuracy more than 1.5 points below" in text


def test_each_stage_is_compared_with_its_own_retrain(staged) -> None:
    (cell,) = (one for one in data_of(staged.read_text(encoding="utf-8"))["curves"]["cells"] if one["methods"])
    (method,) = cell["methods"]
    assert cell["retrain"]["ra"] == [90.0, 80.0] and method["stage"] == [0, 0, 1]
    assert method["ra"] == [89.0, 88.0, 75.0] and method["avg_gap"] == [1.0, 2.0, 5.0]
    # The floor is that of the Retrain after the last stage, as in the table: a trial lies 2 from the other.
    assert cell["floor"] == 2.0


def test_the_papers_numbers_stand_beside_ours(filled, monkeypatch) -> None:
    printed = reported_summary(ROOT / paths.REPORTED)
    printed = printed[(printed["dataset"] == "cifar10") & (printed["arch"] == "resnet18") & (printed["method"] == "ft")]
    row = printed[printed["scenario"] == "random-10"].iloc[[0]].assign(dataset="digits", arch="convnet")
    paths.REPORTED.mkdir(parents=True)
    (paths.REPORTED / "unlearning.csv").touch()
    monkeypatch.setattr("benchmark.report.page.table.reported_summary", lambda: row)
    text = own(draw_page(filled).read_text(encoding="utf-8"))
    assert f'<span class="paper">{row["ua_mean"].item():.2f}</span>' in text and "Avg. gap, paper" in text


def test_page_needs_no_network(page) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(
        r"https?://|//[a-z]+\.|@import|url\((?!data:)", own(text).replace("http://www.w3.org/2000/svg", "")
    )
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src &#39;none&#39;" in policy and "connect-src" not in policy and "unsafe-eval" not in policy


def test_same_data_gives_same_bytes(filled) -> None:
    first = draw_page(filled).read_bytes()
    assert draw_page(filled).read_bytes() == first
    assert len(first) < 2_000_000


def test_hostile_texts_are_escaped(filled) -> None:
    folder = filled.dataset_folder("digits")
    write_json(folder / "provenance.json", {**facts(folder), "classes": [HOSTILE, *CLASSES[1:]]})
    config = paths.study_file("tiny")
    text = config.read_text(encoding="utf-8").replace("A study in miniature", f"'{HOSTILE}'")
    config.write_text(text.replace("caption: Two cells", f"caption: '{HOSTILE}'"), encoding="utf-8")
    hostile = Study.load("tiny")
    collect(hostile)
    shutil.rmtree(folder)  # arrays with such a class are refused already
    text = own(draw_page(hostile).read_text(encoding="utf-8"))
    assert "<img" not in text and "onerror" in text
    assert data_of(text)["datasets"]["digits"]["classes"][0] == HOSTILE
    assert text.count("</script>") == 2


def test_missing_results_are_refused_or_left_out(shown) -> None:
    with pytest.raises(StaleOutput, match=r"metrics.parquet is missing"):
        draw_page(shown)
    with pytest.raises(StaleOutput, match="nothing to show yet"):
        draw_page(shown, partial=True)
    write_run(shown, f"{CELL}/ft/trial-0")
    text = draw_page(shown, partial=True).read_text(encoding="utf-8")
    assert 'data-method="ft"' in text and 'id="maps"' not in text


def test_results_of_another_configuration_are_refused(filled) -> None:
    config = paths.study_file("tiny")
    config.write_text(config.read_text(encoding="utf-8").replace("epochs: 2", "epochs: 4"), encoding="utf-8")
    with pytest.raises(StaleOutput, match="of another configuration"):
        draw_page(Study.load("tiny"))


def test_page_imports_neither_torch_nor_the_plotting_package(filled, project_at) -> None:
    code = "import sys; from benchmark.study.study import Study; from benchmark.report.page import draw_page\n"
    code += "draw_page(Study.load('tiny')); print({'torch', 'bokeh', 'matplotlib'} & set(sys.modules))"
    assert project_at(Path.cwd()).python(code) == "set()"


def test_ten_thousand_images_of_noise_stay_small() -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(10_000, 32, 32, 3), dtype="uint8")
    sprite = sprites.sprite(images, maps.MOST, maps.EXACT)
    assert sprite and len(sprite["src"]) < 4 / 3 * maps.MOST + 50
    packed = maps.packed(np.zeros(20_000, dtype="uint16") + 65535)
    assert len(packed["data"]) < 54_000  # one projection of one panel


# --- in a browser ---------------------------------------------------------------------------------------------------

needs_browser = pytest.mark.skipif(chromium() is None, reason="chromium is not installed")
CARD = "document.querySelector('#map-card canvas')?.dataset.position ?? null"
RINGS = (
    "[...document.querySelectorAll('.map')].map(m => [m.getBoundingClientRect(), m.querySelector('.ring')])"
    ".filter(([, ring]) => !ring.hidden)"
    ".map(([box, ring]) => [box.x + parseFloat(ring.style.left), box.y + parseFloat(ring.style.top)])"
)
COLUMN = "[...document.querySelectorAll('#table tbody tr:not([hidden])')].map(r => Number(r.cells[4].dataset.value))"


@needs_browser
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (360, True)])
def test_page_in_a_browser(page, tmp_path, width, dark) -> None:
    with Browser(tmp_path / "profile", width, dark=dark, touch=width < 500) as browser:
        browser.open(page)
        assert browser.js("document.documentElement.scrollWidth") <= width
        _sort_and_filter(browser)
        _choose_a_sample(browser, touch=width < 500)
        _read_a_curve(browser)
        _open_an_origin(browser)
        assert browser.faults == []
        assert [address for address in browser.requests if not address.startswith(("data:", "file:"))] == []


@needs_browser
def test_a_history_says_what_its_stage_is_compared_with(staged, tmp_path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.open(staged)
        choose = "s.value = 'ra'; s.dispatchEvent(new Event('change'));"
        browser.js(f"{{ const s = document.querySelector('#curve-metric'); {choose} }}")
        browser.js("document.querySelector('#history-chart').focus()")
        readouts = []
        for _ in range(3):
            browser.key("ArrowRight")
            readouts.append(browser.js("document.querySelector('#history-readout').textContent"))
        assert [text.partition("; ")[2] for text in readouts] == [
            "Retrain 90.00 %",
            "Retrain 90.00 %",
            "Retrain 80.00 %",
        ]
        assert browser.faults == []


@needs_browser
def test_a_map_that_is_slow_to_come_does_not_replace_a_later_one(page, tmp_path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.open(page)
        # Of two images to be decoded, the first takes longer.
        browser.js(
            "{ const decode = HTMLImageElement.prototype.decode; let calls = 0; window.decoded = 0;"
            "HTMLImageElement.prototype.decode = async function () { const slow = !calls++; await decode.call(this);"
            "if (slow) await new Promise((done) => setTimeout(done, 300));"
            "setTimeout(() => window.decoded++, 200); }; }"
        )
        choose = "for (const one of [1, 0]) { s.value = one; s.dispatchEvent(new Event('change')); }"
        browser.js(f"{{ const s = document.querySelector('#map-cell'); {choose} }}")
        browser.until("window.decoded === 2")
        last = browser.js("document.querySelector('#map-cell').selectedOptions[0].text")
        labels = browser.js("[...document.querySelectorAll('.map')].map((map) => map.ariaLabel)")
        assert len(labels) == 2 and all(last in label for label in labels)
        assert browser.faults == []


def _sort_and_filter(browser: Browser) -> None:
    browser.js("document.querySelector('[data-key=avg_gap] button').focus()")
    browser.key("Enter")
    gaps = browser.js(COLUMN)
    assert gaps == sorted(gaps) and len(gaps) > 10
    assert browser.js("document.querySelector('[data-key=avg_gap]').ariaSort") == "ascending"
    browser.key("Enter")
    assert browser.js(COLUMN) == gaps[::-1]
    change = "s.value = 'ft'; s.dispatchEvent(new Event('change', {bubbles: true}))"
    browser.js(f"{{ const s = document.querySelector('[data-filter=method]'); {change}; }}")
    assert browser.js(COLUMN) == [1.25, 1.25]
    assert browser.js("document.querySelector('#count').textContent").startswith("2 of ")
    browser.js("document.querySelector('#filters button').click()")
    browser.until(f"{COLUMN}.length === {len(gaps)}")


def _choose_a_sample(browser: Browser, touch: bool) -> None:
    browser.js("document.querySelector('.map').focus()")
    browser.key("ArrowRight")
    first = browser.js(CARD)
    assert first is not None and "true class" in browser.js("document.querySelector('#map-card').textContent")
    browser.js("document.querySelector('.map').scrollIntoView({block: 'start', behavior: 'instant'})")
    ((x, y), *others) = browser.js(RINGS)
    assert len(others) + 1 == browser.js("document.querySelectorAll('.map').length")
    for _ in range(4):
        browser.key("ArrowDown")
        if browser.js(CARD) != first:
            break
    assert browser.js(CARD) != first
    (browser.tap if touch else browser.point)(x, y)
    browser.until(f"{CARD} === '{first}'")
    width = "document.querySelector('.map .ring').style.left"
    before = browser.js(width)
    browser.js("document.querySelector('#zoom-in').click()")
    browser.until(f"{width} !== '{before}' || document.querySelector('.map .ring').hidden")


def _read_a_curve(browser: Browser) -> None:
    browser.js("document.querySelector('#gap-chart').focus()")
    browser.key("ArrowRight")
    browser.until("document.querySelector('#gap-readout').textContent.includes('average gap')")


def _open_an_origin(browser: Browser) -> None:
    browser.js("document.querySelector('#table tbody a').click()")
    browser.until("document.activeElement.matches('details[open] article')")
