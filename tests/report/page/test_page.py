"""The content of the results page."""

import base64
import contextlib
import json
import re
import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.data import store
from benchmark.errors import StaleOutput
from benchmark.files import write_json
from benchmark.metrics.reported import reported_summary
from benchmark.metrics.verdicts import UNTESTED
from benchmark.names import DIVERGED, Cell
from benchmark.report.page import compare, draw_page, maps, sprites
from benchmark.report.tables import claims_table
from benchmark.report.tabular import DASH
from benchmark.results import frames
from benchmark.results.gather import collect
from benchmark.study.study import Study
from tests.project import ROOT
from tests.report.conftest import CLASSES, RANDOM, STAMP, changed, write_run

HOSTILE = "<img src=x onerror=alert(1)></script>"


@pytest.fixture(scope="module")
def text(page) -> str:
    """The HTML of the page."""
    return page.read_text(encoding="utf-8")


def without_library(text: str) -> str:
    """Return the page without the plotting library, which contains addresses that it never requests."""
    library = max(re.findall(r"<script>.*?</script>", text, re.S), key=len)
    return text.replace(library, "")


def drawn(study: Study, partial: bool = False) -> str:
    """Draw the page and return it without the plotting library."""
    return without_library(draw_page(study, partial).read_text(encoding="utf-8"))


def words(text: str) -> str:
    """Return what a reader sees: no tags, no line breaks."""
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def data_of(text: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])


def test_the_page_holds_the_numbers_of_its_study(text) -> None:
    attributes = 'data-dataset="digits" data-arch="convnet" data-scenario="random-10" data-method="ft"'
    row = re.search(rf"<tr {attributes}.*?</tr>", text, re.S)[0]
    cells = [words(cell).split() for cell in re.findall(r"<td.*?</td>", row, re.S)]
    numbers = [cell[0] for cell in cells if cell]
    assert numbers[3:12] == ["1.25", "88.75", "1.25", "11.25", "1.25", "78.75", "1.25", "21.25", "1.25"]
    cell = next(cell for cell in data_of(text)["curves"]["cells"] if cell["name"] == RANDOM)
    method = next(method for method in cell["methods"] if method["name"] == "coun")
    assert method["avg_gap"][-1] == 0.75 and method["epoch"] == [1, 2]
    assert f"python -m benchmark run tiny {RANDOM}/ft/trial-1" in text
    assert "float32" in text and "0" * 40 in text
    assert '<th scope="col" class="number">MiB</th>' in text


def test_costs_are_saved_under_the_unit_that_they_are_in(text) -> None:
    heads = re.findall(r'data-key="(pflops\w*)" data-name="(\w+)"', text)
    assert heads == [("pflops", "gflops"), ("pflops_executed", "gflops_executed")]
    row = re.search(r'<tr data-dataset[^>]*data-method="ft".*?</tr>', text, re.S)[0]
    costs = [float(value) for value in re.findall(r'data-value="([\d.]+)"', row)[-4:-2]]
    assert costs == pytest.approx([20, 30])  # 2e-5 and 3e-5 PFLOPs


def test_a_run_without_costs_has_dashes(filled, copied) -> None:
    lacking = dict.fromkeys(("pflops", "pflops_executed", "seconds"), float("nan"))  # as predictions made elsewhere
    for trial in range(2):
        write_run(filled, f"{RANDOM}/ft/trial-{trial}", epochs=[lacking | {"epoch": 1}])
    collect(filled)
    text = drawn(filled)
    row = re.search(r'<tr data-dataset[^>]*data-method="ft".*?</tr>', text, re.S)[0]
    assert row.count(f">{DASH}<") == 3 and ">nan<" not in text


def test_what_only_some_runs_record_is_not_shared_by_all(filled, copied, monkeypatch) -> None:
    vouched = {"checksum": "sha256:12ab", "torch": "2.7.0"}
    for key, value in vouched.items():
        monkeypatch.setitem(STAMP, key, value)
    write_run(filled, f"{RANDOM}/ft/trial-0")
    monkeypatch.delitem(STAMP, "torch")
    write_run(filled, f"{RANDOM}/ft/trial-1")
    text = drawn(filled, partial=True)
    assert f"This page was made by <code>python -m benchmark page {filled.name} --partial</code>" in text
    for column in ("Archive vouched for by the study", "PyTorch"):
        assert f'<th scope="col">{column}</th>' in text and f"<dt>{column}</dt>" not in text
    assert ">2.7.0</td>" in text and ">sha256:12ab</td>" in text
    assert f">{DASH}</td>" in text and ">nan<" not in text


def test_the_page_needs_no_network(text) -> None:
    requested = without_library(text).replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\((?!data:)", requested)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src &#39;none&#39;" in policy and "connect-src" not in policy and "unsafe-eval" not in policy


def test_claims_have_verdicts_with_remarks_and_need_their_table(filled, text, copied) -> None:
    section = words(re.search(r'<section id="claims".*?</section>', text, re.S)[0])
    # FT leaves a gap of 1.25 and CoUn one of 0.75, in every trial.
    test = "adding CL lowers the average gap Tables 9, 10 random 10 % FT with the term 0.50"
    assert f"{test} all trials are alike: no interval — undecided" in section
    assert "one trial" not in section
    assert "batch size 256 is best Figure 10 needs CoUn at batch size 256 and another not tested" in section
    path = paths.table("tiny", "claims", ".csv")
    table = pd.read_csv(path)
    table.loc[table["verdict"] != UNTESTED, ["low", "high", "paper", "remark"]] = [0.25, 0.75, 0.4, "diverged: FT in 1"]
    table.to_csv(path, index=False)
    assert "FT with the term (diverged: FT in 1) 0.50 0.25 to 0.75 0.40 undecided" in words(drawn(filled))
    path.unlink()
    with pytest.raises(StaleOutput, match=r"claims\.csv is missing"):
        draw_page(filled)
    assert 'id="claims"' not in drawn(filled, partial=True)


def test_the_mark_of_a_collapsed_run_names_the_threshold(filled, copied, monkeypatch) -> None:
    monkeypatch.setattr("benchmark.results.measured.COLLAPSE", 1.5)  # points; NoT's retain accuracy is 86
    write_run(filled, "digits/convnet/original/trial-0", {"ra": 90.0})
    assert "retain accuracy more than 1.5 points below" in drawn(filled, partial=True)


def test_each_stage_is_compared_with_its_own_retrain(staged) -> None:
    cells = data_of(staged.read_text(encoding="utf-8"))["curves"]["cells"]
    (cell,) = (cell for cell in cells if cell["methods"])
    (method,) = cell["methods"]
    assert cell["retrain"]["ra"] == [90.0, 80.0] and method["stage"] == [0, 0, 1]
    assert method["ra"] == [89.0, 88.0, 75.0] and method["avg_gap"] == [1.0, 2.0, 5.0]
    # The noise floor is that of the last stage's Retrain, whose two trials are 2 apart.
    assert cell["floor"] == 2.0


def test_the_papers_numbers_stand_beside_ours(filled, copied, monkeypatch) -> None:
    with contextlib.chdir(ROOT):
        printed = reported_summary()
    printed = printed[(printed["dataset"] == "cifar10") & (printed["arch"] == "resnet18") & (printed["method"] == "ft")]
    row = printed[printed["scenario"] == "random-10"].iloc[[0]].assign(dataset="digits", arch="convnet")
    row = row.assign(ua_mean=1.375 - 1e-15)  # half-way between two, but for an error of addition: as in the tables
    paths.REPORTED.mkdir(parents=True)
    (paths.REPORTED / "unlearning.csv").touch()
    monkeypatch.setattr("benchmark.report.page.table.corrected_summary", lambda: row)
    text = drawn(filled)
    assert '<span class="paper">1.38</span>' in text and "Avg. gap, paper" in text


def test_the_same_results_give_the_same_bytes(filled, page, copied) -> None:
    assert draw_page(filled).read_bytes() == page.read_bytes()
    assert page.stat().st_size < 2_000_000


def test_a_page_drawn_without_images_differs_in_nothing_else(text, filled, copied) -> None:
    full, bare = (data_of(page) for page in (text, draw_page(filled, images=False).read_text(encoding="utf-8")))
    assert full["datasets"]["digits"].pop("sprite") and bare["datasets"]["digits"].pop("sprite") is None
    assert bare == full


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("figures/*/*.without-images.html")), ids=lambda path: path.parent.name
)
def test_a_committed_page_has_no_image_and_the_verdicts_of_the_committed_claims(path) -> None:
    committed = without_library(path.read_text(encoding="utf-8"))
    assert "data:image" not in committed
    claims = pd.read_csv(ROOT / paths.table(path.parent.name, "claims", ".csv"), comment="#")
    for verdict, count in claims_table.counted(claims).items():
        assert f">{count} {verdict}</span>" in committed


def counts_of_ft(compared: list[dict[str, Any]]) -> dict[str, int]:
    cell = next(cell for cell in compared if cell["name"] == RANDOM)
    ft = next(method for method in cell["methods"] if method["name"] == "ft")
    return {
        membership: np.frombuffer(base64.b64decode(packed["data"]), dtype=packed["type"]).reshape(10, 10).sum()
        for membership, packed in ft["counts"].items()
    }


def test_the_comparison_counts_predictions_over_all_trials_that_did_not_diverge(text, filled, copied) -> None:
    # Two trials of 200 training images, a tenth of them to be forgotten.
    counts = counts_of_ft(data_of(text)["compared"])
    assert counts["forget"] == 2 * 20 and counts["retain"] == 2 * 180
    results = frames.of_study(filled)
    is_lost = (results.metrics["method"] == "ft") & (results.metrics["trial"] == 0)
    vars(results)["metrics"] = results.metrics.assign(status=results.metrics["status"].mask(is_lost, DIVERGED))
    counts = counts_of_ft(compare.build(results, [Cell.parse(RANDOM)]))
    assert counts["forget"] == 20 and counts["retain"] == 180


def test_hostile_texts_are_escaped(filled, copied) -> None:
    folder = filled.dataset_folder("digits")
    write_json(folder / "provenance.json", {**store.record(folder), "classes": [HOSTILE, *CLASSES[1:]]})
    gaps = filled.output("gaps").model_dump(exclude_unset=True) | {"caption": HOSTILE}
    hostile = changed(description=HOSTILE, tables={"gaps": gaps})
    collect(hostile)
    shutil.rmtree(folder)  # a dataset with such a class is refused anyway
    text = drawn(hostile)
    assert "<img" not in text and "onerror" in text
    assert data_of(text)["datasets"]["digits"]["classes"][0] == HOSTILE
    assert text.count("</script>") == 2


def test_missing_and_stale_results_are_refused_or_left_out(filled, copied) -> None:
    stale = changed(hyperparameters={"*": {"unlearning": {"epochs": 4}}})
    with pytest.raises(StaleOutput, match="of another configuration"):
        draw_page(stale)
    shutil.rmtree(paths.RESULTS)
    with pytest.raises(StaleOutput, match=r"metrics.parquet is missing"):
        draw_page(filled)
    with pytest.raises(StaleOutput, match="nothing to show yet"):
        draw_page(filled, partial=True)
    write_run(filled, f"{RANDOM}/ft/trial-0")
    text = drawn(filled, partial=True)
    assert 'data-method="ft"' in text and 'id="maps"' not in text


def test_many_images_of_noise_stay_small() -> None:
    # A tenth of ten thousand images, in a tenth of the bytes.
    images = np.random.default_rng(0).integers(0, 256, size=(1_000, 32, 32, 3), dtype="uint8")
    sprite = sprites.sprite(images, maps.MOST // 10, maps.EXACT // 10)
    assert sprite and len(sprite["src"]) < 4 / 3 * maps.MOST / 10 + 50
    packed = maps.packed(np.zeros(20_000, dtype="uint16") + 65535)
    assert len(packed["data"]) < 54_000  # one projection of one panel
