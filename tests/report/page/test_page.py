"""What the results page holds."""

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
from benchmark.results.gather import collect
from benchmark.study.study import Study
from tests.project import ROOT, Project
from tests.report.conftest import CLASSES, write_run

CELL = "digits/convnet/random-10"
HOSTILE = "<img src=x onerror=alert(1)></script>"


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


def test_page_imports_neither_torch_nor_the_plotting_package(filled) -> None:
    code = "import sys; from benchmark.study.study import Study; from benchmark.report.page import draw_page\n"
    code += "draw_page(Study.load('tiny')); print({'torch', 'bokeh', 'matplotlib'} & set(sys.modules))"
    assert Project(Path.cwd()).python(code) == "set()"


def test_ten_thousand_images_of_noise_stay_small() -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(10_000, 32, 32, 3), dtype="uint8")
    sprite = sprites.sprite(images, maps.MOST, maps.EXACT)
    assert sprite and len(sprite["src"]) < 4 / 3 * maps.MOST + 50
    packed = maps.packed(np.zeros(20_000, dtype="uint16") + 65535)
    assert len(packed["data"]) < 54_000  # one projection of one panel
