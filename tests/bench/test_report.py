"""Rows, the choice of sections, and the generated page."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import report
from bench.report import SECTIONS, answered, chosen, page, read
from bench.rows import Options, bounds_of, missed, number, span, timed
from benchmark import paths
from benchmark.errors import BadInput

ROOT = Path(__file__).parents[2]


def test_a_row_has_medians_rates_and_the_ratio_of_pairs():
    row = timed("a", {"ours": [1, 2, 50], "reference": [4, 6, 200]}, 100, "images/s")
    assert (row["ours"], row["reference"], row["ratio"]) == (50, 100 / 6, 4)  # of 4, 3 and 4
    assert timed("a", {"ours": [2.0]}) | {"unit": "s", "ours": 2, "reference": None} == timed("a", {"ours": [2.0]})
    assert span([{"share": 0.5}, {"share": 0.25}], "share") == "0.25 to 0.5" and span([row], "ratio") == "4"


def test_the_beginning_of_a_name_decides_the_bounds_of_its_row():
    assert bounds_of("resnet18, ft, batch 256, bfloat16") == ["ratio ≥ 2.5", "share ≥ 0.75"]
    assert bounds_of("resnet18-w16, ft, batch 256") == []
    seconds = {"ours": [1.0], "reference": [2.5]}
    assert missed(timed("resnet18, ft", seconds, share=0.75)) == []
    assert missed(timed("resnet18, ft", seconds, share=0.74)) == ["share"]
    assert missed(timed("quick study", {"ours": [241.0]})) == ["ours"]


def test_sections_are_chosen_by_name():
    assert chosen("growth, start") == ["growth", "start"] and chosen("") == list(SECTIONS)
    with pytest.raises(BadInput, match="unknown section 'trainin'; did you mean 'training'"):
        chosen("trainin")


def test_a_section_measured_again_leaves_the_others_as_they_were(empty, monkeypatch, capsys):
    for section, seconds in (("start", 1.0), ("growth", 2.0), ("growth", 3.0)):
        rows = [timed(work, {"ours": [seconds]}) for work in ("quick study: 1", "quick study: 4")]
        monkeypatch.setattr(f"bench.{section}.rows", lambda options, rows=rows: rows)
        path = report.bench([section], Options(short=True), "here")
    sections = json.loads(path.read_text())
    assert {name: part["rows"][0]["ours"] for name, [part] in sections.items()} == {"start": 1.0, "growth": 3.0}
    stamp = {"started", "ended", "device", "cores", "threads", "precision", "torch", "commit", "repeats", "short"}
    assert stamp <= set(sections["growth"][0]["stamp"])
    printed = capsys.readouterr().out
    assert "| quick study: 4 | 3 s | ours ≤ 240 |\n\nA short run: the numbers mean nothing." in printed
    assert "here" not in (paths.BENCH / "machines.md").read_text()  # a short run


def test_a_file_that_cannot_be_read_is_named_before_anything_is_measured(empty, monkeypatch):
    paths.BENCH.mkdir(parents=True)
    (paths.BENCH / "another.json").write_text("{half")
    monkeypatch.setattr("bench.start.rows", lambda options: pytest.fail("measured"))
    with pytest.raises(BadInput, match=r"another\.json: .*delete it"):
        report.bench(["start"], Options(short=True), "mine")


def test_machines_stand_side_by_side_with_the_dates_of_their_measurements():
    stamp = {"device": "a processor", "threads": 2, "short": False, "commit": "abc"}
    stamps = [stamp | {"ended": {"time": f"2026-01-0{day}T10:00:00+00:00"}} for day in (3, 2)]
    rows = [timed("resnet18, ft", {"ours": [1.0], "reference": [2.0]}, 1234, "images/s", share=0.8)]
    training = {"training": [{"stamp": entry, "rows": rows} for entry in stamps]}
    start = {"start": [{"stamp": stamps[0], "rows": [timed("quick study", {"ours": [200.0]})]}]}
    lines = page({"one": training, "two": start}).splitlines()
    assert "| one | a processor | 2 | 2026-01-02 to 2026-01-03 | abc | 0 of 1 |" in lines
    assert "| resnet18, ft | 1,234 images/s, **2 times**, 0.8 of peak | ratio ≥ 2.5, share ≥ 0.75 |" in lines
    assert "- **two**: the quick study takes 200 s." in lines
    first, second = training | start, {"start": [{"stamp": stamps[0], "rows": [timed("dry run", {"ours": [4.0]})]}]}
    assert answered("start", {"one": first, "two": second}).splitlines()[-2:] == [
        "| quick study | 200 s | – | ours ≤ 240 |",
        "| dry run | – | 4 s |  |",
    ]


def test_the_committed_page_shows_the_committed_measurements():
    folder = ROOT / paths.BENCH
    machines = {name: sections for name, sections in read(folder).items() if name != "short"}
    assert len(machines) > 3 and all(set(sections) <= {*SECTIONS, "settled"} for sections in machines.values())
    assert (folder / "machines.md").read_text(encoding="utf-8") == page(machines)


def test_the_manual_quotes_only_committed_measurements():
    text = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    text = re.sub(r"<!-- \S+ -->.*<!-- end -->", "", text, flags=re.DOTALL)
    quoted = [line for line in text.splitlines() if line.startswith("| ") and "--" not in line]
    settled = {
        f"| {name} | {row['work']} | {number(row['ours'])} {row['unit']} | "
        f"{number(row['reference'])} | {number(row['ratio'])} |"
        for name, sections in read(ROOT / paths.BENCH).items()
        for part in sections.get("settled", [])
        for row in part["rows"]
    }
    assert len(quoted) > 15
    assert [line for line in quoted if line not in settled and not line.startswith("| machine |")] == []


def test_the_command_lists_its_sections_and_says_what_it_needs(tmp_path):
    def run(folder):
        command = ["env", "-u", "PYTHONPATH", sys.executable, "-m", "benchmark", "bench", "--list"]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)

    assert [line.split()[0] for line in run(ROOT).stdout.splitlines()] == list(SECTIONS)
    (tmp_path / "benchmark").symlink_to(ROOT / "benchmark")
    outside = run(tmp_path)
    assert outside.returncode == 2 and len(outside.stderr.splitlines()) == 1
    assert "the folder bench/ is part of a checkout" in outside.stderr
