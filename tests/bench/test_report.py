"""Rows, the choice of sections, and the tables that are written."""

from __future__ import annotations

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


# --- the tables of all machines --------------------------------------------------------------------------------------


def section(row, device="a processor", day="2026-01-02"):
    stamp = {"device": device, "threads": 2, "short": False, "ended": {"time": f"{day}T10:00:00+00:00"}}
    return {"stamp": stamp, "rows": [row]}


def cells(text):
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines()]


def test_bounds_stand_side_by_side_with_misses_in_bold():
    def trained(ratio, over):
        wanted = ["ratio ≥ 2.5", "time over FT's ≤ 1.9"]
        seconds = {"ours": [1.0], "reference": [ratio]}
        return timed("resnet18", seconds, figures={"time over FT's": over}, wanted=wanted)

    peak = timed(CEILING[0], {"ours": [1.0]}, 1234, "GFLOP/s")
    start = timed("convnet", {"ours": [1.25]}, wanted=["ours ≤ 1.5"])
    machines = {
        "one": {"ceiling": section(peak), "train": section(trained(3.0, 1.904), day="2026-01-03")},
        "two": {"train": section(trained(2.449, 1.9), "another"), "resident": section(start)},
    }
    hardware, bounds = comparison(machines).split("\n\n")
    assert cells(hardware)[2:] == [
        ["one", "a processor, 2 threads", "1,234 GFLOP/s", "–", "–", "2026-01-02 to 2026-01-03", "0 of 1 rows"],
        ["two", "another, 2 threads", "–", "–", "–", "2026-01-02", "1 of 2 rows"],
    ]
    assert cells(bounds)[2:] == [
        ["train: resnet18: ratio ≥ 2.5", "3", "**2.45**"],
        ["train: resnet18: time over FT's ≤ 1.9", "**1.9**", "1.9"],
        ["resident (no longer measured): convnet: ours ≤ 1.5", "–", "1.25 s"],
    ]


def test_the_committed_tables_are_those_of_the_committed_measurements():
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
