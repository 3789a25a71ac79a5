"""`compare`: two results side by side."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.metrics.gaps import floor_of
from benchmark.metrics.samples import METRICS
from benchmark.report.comparison import Comparison
from benchmark.report.tabular import DASH
from benchmark.results.differences import differences
from benchmark.results.gather import collect
from benchmark.results.sides import Side, read_side
from benchmark.study.study import Study
from tests.pool import run_folder
from tests.project import Project, call, mistake
from tests.workflow.test_merge import come_out_otherwise

SMALL = {"trials": 3, "tables": {"table2": {"methods": ["ft", "not"]}, "table8": None}}
PLANTED = {"hyperparameters": {"*": {"ft": {"lr": 0.001}}}}
CELL = {"dataset": "digits", "arch": "convnet", "scenario": "random-10"}


@pytest.fixture(scope="module")
def prepared(prepared, tmp_path_factory) -> Path:
    """The runs of a study and of one that differs in FT's learning rate, not gathered. Every test gets a copy."""
    with pytest.MonkeyPatch.context() as patch:
        project = Project.copied(prepared, tmp_path_factory.mktemp("compared") / "here", patch)
        project.run_all(project.study(SMALL))
        project.run_all(project.study(SMALL, PLANTED, name="planted"))
    return project.root


def made_up(shift: dict[str, float], seed: int = 0, trials: int = 5, **columns: object) -> pd.DataFrame:
    """Return metrics of Retrain and FT with a standard deviation of one point, FT's shifted."""
    rng = np.random.default_rng(seed)
    rows = [
        CELL
        | {"method": method, "trial": trial, "status": "finished", "pflops": 1.0, "pflops_executed": 1.0}
        | {metric: 90 + rng.normal() + (method == "ft") * shift.get(metric, 0) for metric in METRICS}
        | columns
        for method, trial in product(("retrain", "ft"), range(trials))
    ]
    return pd.DataFrame(rows)


def test_a_shift_beyond_noise_differs_and_one_within_it_does_not():
    base, shifted = made_up({}), made_up({"ua": 6.0, "ta": 0.1}, seed=1)
    rows = differences(base, shifted).query("method == 'ft'").set_index("column")
    assert list(rows.index[rows["differs"]]) == ["ua", "avg_gap"]
    retrain = base[base["method"] == "retrain"]["ua"].to_numpy()[:, None]
    assert rows.loc["ua", "noise_floor"] == floor_of(retrain, 5) and rows.loc["ua", "low"] > 0
    # A rise in every trial, but within the noise: the interval excludes 0, and still nothing differs.
    noisy = base.assign(ra=base["ra"] + np.where(base["method"] == "ft", 0.05 + 0.001 * base["trial"], 0))
    row = differences(base, noisy).query("method == 'ft' and column == 'ra'").iloc[0]
    assert row["low"] > 0 and row["difference"] < row["noise_floor"] and not row["differs"]


def test_a_difference_that_is_the_same_in_every_trial_has_no_interval_and_no_doubt():
    base = made_up({})
    is_ft = base["method"] == "ft"
    never = base.assign(ua=np.where(is_ft, 100.0, base["ua"]))
    always, hardly = (never.assign(ua=np.where(is_ft, ua, base["ua"])) for ua in (0.0, 99.9))
    for changed, differs in ((always, True), (hardly, False)):
        row = differences(never, changed).query("method == 'ft' and column == 'ua'").iloc[0]
        assert np.isnan(row["low"]) and row["differs"] == differs


def test_results_without_common_runs_are_refused_and_a_single_trial_is_undecided():
    first, second = made_up({}), made_up({}).assign(scenario="random-50")
    for form in ("csv", "json", "text"):
        with pytest.raises(BadInput, match="a and b have no cell, method and trial in common"):
            Comparison(Side("a", first), Side("b", second)).written(form)
    sides = [Side(tag, made_up({"ra": -30.0 * (tag == "b")}, trials=1, fingerprint=tag, samples=None)) for tag in "ab"]
    verdict = list(Comparison(*sides).written("text").splitlines())[-1]
    assert verdict == "undecided: no interval to judge metrics by: trials are fewer than two, or all alike"


def test_each_sides_average_gap_is_to_its_own_retrain_or_to_the_only_one():
    first, second = made_up({"ua": 2.0}), made_up({"ua": 2.0}, seed=1)
    row = differences(first, second).query("method == 'ft' and column == 'avg_gap'").iloc[0]
    for side, frame in (("first", first), ("second", second)):
        means = frame.groupby("method")[METRICS].mean()
        assert row[side] == pytest.approx((means.loc["ft"] - means.loc["retrain"]).abs().mean())
    ft = second[second["method"] == "ft"]
    row = differences(first, ft).query("column == 'avg_gap'").iloc[0]
    means, reference = ft[METRICS].mean(), first[first["method"] == "retrain"][METRICS].mean()
    assert row["second"] == pytest.approx((means - reference).abs().mean())


def test_average_gaps_are_over_the_trials_that_retrain_has():
    frame = made_up({"ua": 2.0})
    lacking = frame[~(frame["method"].eq("retrain") & frame["trial"].eq(4))]
    rows = differences(lacking, lacking).query("method == 'ft'").set_index("column")["trials"]
    assert rows.loc["ua"] == 5 and rows.loc["avg_gap"] == 4


def test_any_difference_in_computation_or_divergence_counts():
    first = made_up({})
    second = first.assign(pflops=np.where(first["method"] == "ft", 2.0, 1.0))
    second.loc[second["method"].eq("ft") & second["trial"].eq(0), ["status", *METRICS]] = ["diverged", *[np.nan] * 4]
    rows = differences(first, second).set_index(["method", "column"])
    assert rows.loc[("ft", "pflops"), "difference"] == pytest.approx(100) and rows.loc[("ft", "pflops"), "differs"]
    assert rows.loc[("ft", "diverged"), "second"] == 1 and rows.loc[("ft", "diverged"), "differs"]
    assert rows.loc[("ft", "ra"), "trials"] == 4 and not rows.loc["retrain", "differs"].any()


def test_unknown_computation_is_no_equal_computation():
    ft = made_up({}, fingerprint="ft", samples=None)
    theirs = made_up({"ua": 1.0}, seed=1, fingerprint="theirs", samples=None).assign(pflops=np.nan)
    row = differences(ft, theirs).query("method == 'ft' and column == 'pflops'").iloc[0]
    assert np.isnan(row["difference"]) and not row["differs"]
    shown = Comparison(Side("ft", ft), Side("theirs", theirs)).written("text")
    assert [line.split()[-1] for line in shown.splitlines() if line.startswith("  ft ")] == [DASH]


def test_json_has_the_numbers_of_the_csv_to_the_last_digit():
    first = made_up({}, fingerprint="a", samples=None, pflops=1.23456789012e-5)
    compared = Comparison(Side("a", first), Side("b", first.assign(pflops=2e-5 / 3)))
    table = pd.read_csv(io.StringIO(compared.written("csv")))
    rows = json.loads(compared.written("json"))["differences"]
    pd.testing.assert_frame_equal(pd.DataFrame(rows), table, rtol=1e-15)  # as exact as pandas before 3 reads text


def test_a_changed_hyperparameter_is_named_and_repeated_runs_are_identical(project):
    ended = call("compare", "tiny", "planted")
    assert ended.returncode == 1 and "lr 0.05 | 0.001: ft" in ended.stdout, ended.stdout
    assert re.search(r"^  ft .*\*", ended.stdout, re.MULTILINE) and not re.search("^  not ", ended.stdout, re.MULTILINE)
    assert "10 pairs, 7 of them identical, sample by sample" in ended.stdout
    assert "Original has a pair in every scenario" not in ended.stdout  # there is one
    study = Study.load("tiny")
    shutil.copytree(".", "../again")
    with contextlib.chdir("../again"):  # run again in another folder
        for method in ("retrain", "ft"):
            shutil.rmtree(run_folder(study, project.name(method)))
        project.run_all(study)
    ended = call("compare", "tiny", "../again", "--exact", check=True)
    assert "no difference: all pairs are identical" in ended.stdout and "10 of them identical" in ended.stdout


def test_metrics_of_other_epochs_are_named_as_what_differs(project):
    project.study(SMALL, {"report_epoch": "best"}, name="best")
    text = call("compare", "tiny", "best").stdout
    assert "made or reported differently (A | B)\n  report_epoch: last | best\n" in text and "not recorded" not in text


def test_another_machine_is_named_with_what_that_means(project):
    # The same runs, but with FT's learning rate in its name.
    project.study(SMALL, PLANTED, {"tables": {"table2": {"methods": ["ft@lr=0.05", "not"]}}}, name="varied")
    shutil.copytree(".", "../xeon")
    study = Study.load("tiny")
    run = Path("../xeon") / run_folder(study, project.name("ft"))
    come_out_otherwise(run, device="Xeon")
    shutil.rmtree(Path("../xeon") / run_folder(study, project.name("not", trial=2)))
    ended = call("compare", "tiny", "../xeon/results")
    assert "9 pairs, 8 of them identical" in ended.stdout
    assert "| Xeon" in ended.stdout and "by chaos alone: judge by means over trials" in ended.stdout
    assert "only in A: 1 run: digits/convnet/random-10/not (1)" in ended.stdout
    assert ended.returncode == 0 and "no difference: of" in ended.stdout
    exact = call("compare", "varied", "../xeon", "--exact")
    assert exact.returncode == 1 and "8 of them identical, sample by sample" in exact.stdout, exact.stdout


def test_a_commit_and_a_merged_folder_can_be_compared(project):
    collect(Study.load("tiny"))
    for arguments in (["init", "-q"], ["add", "results/tiny-metrics.parquet"], ["commit", "-qm", "results"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], check=True)
    compared = json.loads(call("compare", "tiny", "@HEAD", "--format", "json", check=True).stdout)
    assert compared["pairs"] == compared["identical"] == 10
    assert not any(row["differs"] for row in compared["differences"])
    for folder in ("runs", "splits"):
        shutil.copytree(f"results/{folder}", f"../other/results/{folder}")
    come_out_otherwise(Path("../other") / run_folder("tiny", project.original))
    call("merge", "../other", "--keep-both", "other", check=True)
    # The split that measures it went with it.
    assert "1 pair, none of them identical" in call("compare", "tiny", "results/others/other").stdout


def test_two_methods_of_a_study_can_be_compared(project):
    ended = call("compare", "--study", "tiny", "ft", "not", "--format", "csv")
    rows = pd.read_csv(io.StringIO(ended.stdout))
    assert set(rows["method"]) == {"not − ft"} and set(rows["trials"]) == {3}
    ft, no_t = (
        np.mean([pd.read_parquet(run_folder("tiny", name) / paths.HISTORY)["ua"].iloc[-1] for name in names])
        for names in ([project.name(method, trial=trial) for trial in range(3)] for method in ("ft", "not"))
    )
    assert rows.set_index("column").loc["ua", "difference"] == pytest.approx(no_t - ft)


def test_gathered_rows_of_a_study_that_has_changed_since_are_left_out(project):
    collect(Study.load("tiny"), partial=False)
    shutil.rmtree(paths.RUNS)
    before = set(read_side("tiny", "").rows["method"])
    project.study(SMALL, PLANTED)
    assert before - set(read_side("tiny", "").rows["method"]) == {"ft"}


def test_what_cannot_be_compared_is_a_one_line_error(project):
    for arguments, message in [
        ("tiny @nope", "tiny@nope: neither a folder here nor a commit that has results/tiny-metrics.parquet"),
        ("tiny tinny", "unknown study 'tinny'"),
        ("../x tiny", "'../x': accepted first is STUDY"),
        ("tiny ./config", "no results there"),
        ("--study tiny ft salun", "unknown method 'salun'"),
    ]:
        assert message in mistake("compare", *arguments.split())
