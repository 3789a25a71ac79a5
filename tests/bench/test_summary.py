"""The table of all machines says what each measured, misses in bold, and leaves out what means nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import report, summary
from bench.rows import Options, Row, Wanted
from benchmark import paths
from benchmark.errors import BadInput


def section(rows, device="a processor", short=False, day="2026-01-02"):
    stamp = {"device": device, "threads": 2, "short": short, "ended": {"time": f"{day}T10:00:00+00:00"}}
    return {"stamp": stamp, "rows": [row.plain() for row in rows]}


def trained(ratio, over):
    wanted = (Wanted("ratio", ">=", 2.5), Wanted("time over FT's", "<=", 1.9))
    return Row("resnet18", "images/s", 100.0, 40.0, ratio, figures={"time over FT's": over}, wanted=wanted)


START = Row("convnet", "s", 1.25, wanted=(Wanted("ours", "<=", 1.5),))
PEAK = Row(f"{summary.CEILING[0]}, once more", "GFLOP/s", 1234.0)


def cells(text):
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines() if line]


def test_bounds_stand_side_by_side_with_misses_in_bold():
    machines = {
        "one": {"ceiling": section([PEAK]), "train": section([trained(3.0, 1.904)], day="2026-01-03")},
        "two": {"train": section([trained(2.449, 1.9)], "another"), "startup": section([START])},
    }
    hardware, bounds = summary.markdown(machines).split("\n\n")
    assert cells(hardware)[2:] == [
        ["one", "a processor, 2 threads", "1,234 GFLOP/s", "–", "–", "2026-01-02 to 2026-01-03", "0 of 1 rows"],
        ["two", "another, 2 threads", "–", "–", "–", "2026-01-02", "1 of 2 rows"],
    ]
    assert cells(bounds)[2:] == [
        ["train: resnet18: ratio ≥ 2.5", "3", "**2.45**"],
        ["train: resnet18: time over FT's ≤ 1.9", "**1.9**", "1.9"],
        ["startup: convnet: ours ≤ 1.5", "–", "1.25 s"],
    ]


def test_short_runs_are_left_out(empty):
    paths.BENCH.mkdir(parents=True)
    for name, short in (("mine", False), ("short", True)):
        (paths.BENCH / f"{name}.json").write_text(json.dumps({"startup": section([START], short=short)}))
    text = summary.write().read_text()
    assert "mine" in text and "short" not in text


def test_the_committed_table_is_that_of_the_committed_measurements():
    folder = Path(summary.__file__).parents[2] / paths.BENCH
    committed = (folder / summary.TABLE.name).read_text(encoding="utf-8")
    assert committed == summary.markdown(summary.measured(folder))  # to mend it: python -m bench.summary


def test_a_file_that_cannot_be_read_is_told_before_anything_is_measured(empty, monkeypatch):
    paths.BENCH.mkdir(parents=True)
    (paths.BENCH / "another.json").write_text("{half")
    monkeypatch.setattr("bench.report.SECTIONS", {})
    with pytest.raises(BadInput, match=r"another\.json: .*delete it"):
        report.bench(["ceiling"], Options(short=True), "mine")
