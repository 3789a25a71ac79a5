"""Rows, the choice of sections, and the tables that are written."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import report
from bench.report import CEILING, SECTIONS, chosen, comparison, markdown, read
from bench.rows import Options, timed
from benchmark import paths
from benchmark.errors import BadInput

ROOT = Path(__file__).parents[2]


def test_a_row_has_medians_rates_and_the_ratio_of_pairs():
    row = timed("a", {"ours": [1, 2, 50], "reference": [4, 6, 200]}, 100, "images/s")
    assert (row["ours"], row["reference"], row["ratio"]) == (50, 100 / 6, 4)  # of 4, 3 and 4
    assert (row["how"], row["met"], row["unit"]) == ("median of 3", None, "images/s")
    assert timed("a", {"ours": [2.0]}) | {"how": "once", "reference": None} == timed("a", {"ours": [2.0]})


def test_bounds():
    met, unmet = (["ours ≥ 2"], ["points ≤ 0.1"]), (["ours ≥ 2", "ours ≤ 1.9"], ["share ≥ 0.6"])
    for wanted in (*met, *unmet):
        row = timed("a", {"ours": [2.0]}, share=0.5, figures={"points": 0.1}, wanted=wanted)
        assert row["met"] is (wanted in met)


def test_sections_are_chosen_by_name():
    assert chosen("mia, train") == ["mia", "train"] and chosen("") == list(SECTIONS)
    with pytest.raises(BadInput, match="unknown section 'trian'; did you mean 'train'"):
        chosen("trian")


def test_a_section_measured_again_leaves_the_others_as_they_were(empty, monkeypatch):
    short = Options(short=True)
    for section, seconds in (("augment", 1.0), ("mia", 2.0), ("mia", 3.0)):
        row = timed(section, {"ours": [seconds]}, wanted=["ours ≤ 2"])
        monkeypatch.setattr(f"bench.{section}.rows", lambda options, row=row: [row])
        path = report.bench([section], short, "here")
    sections = json.loads(path.with_suffix(".json").read_text())
    assert {name: section["rows"][0]["ours"] for name, section in sections.items()} == {"augment": 1.0, "mia": 3.0}
    stamp = {"started", "ended", "device", "cores", "threads", "precision", "torch", "commit", "repeats", "short"}
    assert stamp <= set(sections["mia"]["stamp"])
    text, row = path.read_text(), "| mia | 3 s |  |  |  | once |  | ours ≤ 2 | **no** |"
    assert row in text and "1 of 2 rows with bounds meet them" in text and "the numbers mean nothing" in text
    assert "here" not in (paths.BENCH / "machines.md").read_text()  # a short run


def test_a_file_that_cannot_be_read_is_named_before_anything_is_measured(empty, monkeypatch):
    paths.BENCH.mkdir(parents=True)
    (paths.BENCH / "another.json").write_text("{half")
    monkeypatch.setattr("bench.mia.rows", lambda options: pytest.fail("measured"))
    with pytest.raises(BadInput, match=r"another\.json: .*delete it"):
        report.bench(["mia"], Options(short=True), "mine")


def test_a_machine_that_was_measured_on_several_days_says_from_when_to_when():
    stamp = {"device": "a processor", "threads": 2, "short": False}
    rows = [timed(CEILING[0], {"ours": [1.0]}, 1234, "GFLOP/s", wanted=["ours ≥ 2000"])]
    stamps = [stamp | {"ended": {"time": f"2026-01-0{day}T10:00:00+00:00"}} for day in (3, 2)]
    sections = {name: {"stamp": one, "rows": rows} for name, one in zip(("ceiling", "train"), stamps, strict=True)}
    shown = "| one | a processor, 2 threads | 1,234 GFLOP/s | – | – | 2026-01-02 to 2026-01-03 | 0 of 2 rows |"
    assert shown in comparison({"one": sections}).splitlines()


def test_the_committed_tables_are_those_of_the_committed_measurements():
    """Bounds stand side by side, misses in bold, with those that are no longer measured and a dash for what is not."""
    folder = ROOT / paths.BENCH
    machines = {name: sections for name, sections in read(folder).items() if name != "short"}
    assert (folder / "machines.md").read_text(encoding="utf-8") == comparison(machines)
    for name, sections in machines.items():
        assert (folder / f"{name}.md").read_text(encoding="utf-8") == markdown(sections)


def test_the_page_quotes_the_committed_measurements():
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    page = re.sub(r"<!-- \S+ -->.*<!-- end -->", "", page, flags=re.DOTALL)
    rows = [line.removesuffix("|") for line in page.splitlines() if line.startswith("| ") and "--:" not in line]
    measured = (ROOT / paths.BENCH / "cpu.md").read_text(encoding="utf-8")
    assert len(rows) > 30
    assert [row for row in rows if f"\n{row}|" not in measured] == []


def test_the_command_lists_its_sections_and_says_what_it_needs(tmp_path):
    def run(folder):
        command = ["env", "-u", "PYTHONPATH", sys.executable, "-m", "benchmark", "bench", "--list"]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)

    assert [line.split()[0] for line in run(ROOT).stdout.splitlines()] == list(SECTIONS)
    (tmp_path / "benchmark").symlink_to(ROOT / "benchmark")
    outside = run(tmp_path)
    assert outside.returncode == 2 and len(outside.stderr.splitlines()) == 1
    assert "the folder bench/ is part of a checkout" in outside.stderr
