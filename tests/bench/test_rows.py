from __future__ import annotations

import json

import pytest

from bench import precision, report, timing
from bench.report import SECTIONS, chosen
from bench.rows import Options, Row, Wanted, faster, rate
from bench.timing import interleaved
from benchmark.errors import BadInput


@pytest.fixture
def spend(monkeypatch):
    """Let so many seconds pass, by a clock that nothing else moves."""
    now = 0.0

    def pass_(seconds):
        nonlocal now
        now += seconds

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now)
    return pass_


@pytest.fixture
def shards(empty):
    """A project with something under the names of CIFAR-10's shards."""
    precision.IMAGES.mkdir(parents=True)
    for name in ("train-0", "test-0"):
        (precision.IMAGES / f"{name}.parquet").touch()


def test_work_takes_turns_after_a_warm_up_that_does_not_count(spend):
    done = []
    work = {name: lambda name=name: (done.append(name), spend(0.02)) for name in "ab"}
    seconds = interleaved(work, repeats=3, least=0.0)
    assert "".join(done) == "aa" + "bb" + "ab" + "ba" + "ab"
    assert {name: values == pytest.approx([0.02] * 3) for name, values in seconds.items()} == {"a": True, "b": True}


def test_a_turn_may_begin_with_work_that_does_not_count(spend):
    done = []

    def work(name):
        spend(0.01 if done[-1:] == [name] else 0.05)  # dear where another's work came before
        done.append(name)

    seconds = interleaved({name: lambda name=name: work(name) for name in "ab"}, repeats=2, least=0.0, settle=True)
    assert "".join(done) == "aa" + "bb" + "aabb" + "bbaa"
    assert all(values == pytest.approx([0.01] * 2) for values in seconds.values())


def test_short_work_is_repeated_until_a_clock_can_tell(spend):
    calls = []
    seconds = interleaved({"a": lambda: (calls.append(1), spend(0.001))}, repeats=2, least=0.05)["a"]
    assert len(calls) > 20 and seconds == pytest.approx([0.001] * 2)


def test_rate_and_ratio_are_medians():
    assert rate(100, [1, 2, 50]) == 50
    assert faster([1, 2, 10], [4, 6, 10]) == 3  # of 4, 3 and 1


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ((), None),
        ((Wanted("ratio", ">=", 2.0),), True),
        ((Wanted("ratio", ">=", 2.0), Wanted("ours", "<=", 9.0)), False),
        ((Wanted("points", "<=", 0.1),), True),
    ],
)
def test_bounds(wanted: tuple[Wanted, ...], met: bool | None):
    assert Row("work", "s", 10.0, ratio=2.0, figures={"points": 0.1}, wanted=wanted).met is met


def test_a_row_says_how_often_it_was_timed():
    assert Row("work", "s", 1.0, seconds={"ours": [1.0] * 3, "reference": [2.0] * 3}).plain()["how"] == "median of 3"
    assert Row("work", "s", 1.0, seconds={"ours": [1.0]}).plain()["how"] == "once"
    assert Row("work", "MiB", 1.0).plain()["how"] == "once"
    assert Row("work", "GB", 1.0, how="by arithmetic").plain()["how"] == "by arithmetic"


def test_the_table_says_it_row_by_row_and_nothing_of_what_older_files_do_not_tell():
    rows = [Row("a", "s", 1.0, seconds={"ours": [1.0] * 3}), Row("b", "MiB", 2.0, how="mean of 10 trials")]
    old = [{key: value for key, value in row.plain().items() if key != "how"} for row in rows]
    assert report._table([row.plain() for row in rows]).splitlines()[2:] == [
        "| a | 1 s |  |  |  | median of 3 |  |  |  |",
        "| b | 2 MiB |  |  |  | mean of 10 trials |  |  |  |",
    ]
    assert report._table(old).splitlines()[2:] == [
        "| a | 1 s |  |  |  | median of 3 |  |  |  |",
        "| b | 2 MiB |  |  |  |  |  |  |  |",
    ]


def test_sections_are_chosen_by_name(shards):
    assert chosen("mia, train") == ["mia", "train"] and chosen("") == list(SECTIONS)
    assert chosen("precision") == ["precision"]
    with pytest.raises(BadInput, match="unknown section 'trian'; did you mean 'train'"):
        chosen("trian")


def test_a_section_without_its_images_is_left_out_of_all_and_refused_by_name(empty, capsys):
    assert chosen("") == [name for name in SECTIONS if name != "precision"]
    assert "precision: left out: images/cifar10 lacks train-*.parquet" in capsys.readouterr().out
    with pytest.raises(BadInput, match="images/cifar10 lacks"):
        chosen("mia,precision")
    assert chosen("mia") == ["mia"]


def test_a_section_keeps_what_others_have_left(empty, monkeypatch):
    # Two sections, the second one measured again: the file holds the first as it was.
    rows = {"augment": Row("a", "s", 1.0, seconds={"ours": [1.0]}), "mia": Row("m", "s", 2.0, ratio=4.0)}
    for name, row in rows.items():
        monkeypatch.setattr(f"bench.{name}.rows", lambda options, row=row: [row])
    report.bench(["augment", "mia"], Options(short=True), "here")
    rows["mia"] = Row("m", "s", 3.0, wanted=(Wanted("ours", "<=", 2.0),))
    monkeypatch.setattr("bench.mia.rows", lambda options: [rows["mia"]])
    path = report.bench(["mia"], Options(short=True), "here")
    told = json.loads(path.with_suffix(".json").read_text())
    assert list(told) == ["augment", "mia"]
    assert [section["rows"][0]["ours"] for section in told.values()] == [1.0, 3.0]
    assert told["augment"]["rows"][0]["seconds"] == {"ours": [1.0]}
    stamp = told["mia"]["stamp"]
    assert {"device", "cores", "threads", "precision", "torch", "commit", "repeats"} <= set(stamp)
    assert stamp["started"]["load"] >= 0
    text = path.read_text()
    assert "| m | 3 s |  |  |  | once |  | ours ≤ 2 | **no** |" in text and "0 of 1 rows with bounds meet them" in text
    assert "the numbers mean nothing" in text
