"""The claims' formulas, on numbers made up so that the answer is known."""

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics.claims import CLAIMS
from benchmark.metrics.evidence import Evidence, Trials
from benchmark.metrics.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED, UNTESTED, verdicts
from benchmark.names import Cell

PLACE = {"dataset": "cifar10", "arch": "resnet18", "scenario": "random-50"}
RETRAIN = {"ra": 98.0, "ua": 30.0, "ta": 70.0, "mia": 43.0}
EMPTY = pd.DataFrame()


def runs(method, shift, trials=5, noise=0.1, scenario="random-50", cost=1.0, **settings):
    """A method whose metrics are all ``shift`` above Retrain's, in trials that vary together with Retrain's."""
    shared = np.linspace(-1, 1, trials)
    own = np.random.default_rng(len(method) + 7).normal(0, noise, (trials, 4))
    rows = []
    for trial in range(trials):
        values = {m: v + shift + shared[trial] + own[trial, i] for i, (m, v) in enumerate(RETRAIN.items())}
        fields = {f"setting_{key}": value for key, value in settings.items()}
        place = PLACE | {"scenario": scenario}
        rows.append({**place, "method": method, "trial": trial, **values, "pflops_executed": cost, **fields})
    return pd.DataFrame(rows)


def evidence(*frames, history=EMPTY, predictions=EMPTY, theory=EMPTY):
    return Evidence(pd.concat(frames, ignore_index=True), history, predictions, theory)


def rows_of(known, claim):
    table = verdicts(known)
    return table[table["claim"] == claim].reset_index(drop=True)


@pytest.fixture
def story():
    """FT far away, NegGrad+ nearer, CoUn nearest; NoT is made worse by the term."""
    return [
        runs("retrain", 0.0, noise=0.0),
        runs("ft", 8.0),
        runs("neggrad-plus", 5.0),
        runs("neggrad-plus+cl", 3.0),
        runs("not", 4.0),
        runs("not+cl", 6.0),
        runs("coun", 2.0),
    ]


def test_the_gap_is_that_of_the_means():
    frame = pd.concat([runs("retrain", 0.0, noise=0.0), runs("ft", 8.0, noise=0.0)])
    trials = Trials(frame, Cell("cifar10", "resnet18", "random-50"), ["ft"])
    drawn = np.array([[0, 1, 2, 3, 4], [0, 0, 0, 0, 4]])
    assert trials.gap("ft", drawn) == pytest.approx([8.0, 8.0])  # trials vary together with Retrain's


def test_trials_are_those_that_all_have():
    frame = pd.concat([runs("retrain", 0.0), runs("ft", 8.0, trials=3), runs("not", 1.0).query("trial > 0")])
    assert Trials(frame, Cell("cifar10", "resnet18", "random-50"), ["ft", "not"]).numbers == [1, 2]
    assert len(Trials(frame, Cell("cifar10", "resnet18", "random-10"), ["ft"])) == 0


def test_the_order_of_methods_is_found(story):
    known = evidence(*story)
    best = rows_of(known, "best").iloc[0]
    assert best["value"] == pytest.approx(2.0, abs=0.2)  # NoT at 4, CoUn at 2
    assert best["verdict"] == REPRODUCED == best["after_holm"]
    worst = rows_of(known, "ft-worst").iloc[0]
    assert worst["value"] == pytest.approx(3.0, abs=0.2)  # FT at 8, NegGrad+ at 5
    assert worst["verdict"] == REPRODUCED


def test_a_term_that_helps_and_one_that_hurts(story):
    tested = rows_of(evidence(*story), "term").set_index("subject")
    assert tested.loc["`neggrad-plus` with the term", "verdict"] == REPRODUCED
    assert tested.loc["`not` with the term", "verdict"] == NOT_REPRODUCED
    assert tested.loc["`not` with the term", "value"] == pytest.approx(-2.0, abs=0.2)
    assert "`l1-sparse` with the term" not in tested.index


def test_a_term_that_came_with_another_learning_rate_is_compared_at_that_rate_too():
    frames = [
        runs("retrain", 0.0, noise=0.0),
        runs("neggrad-plus", 5.0, lr=0.1, beta=0.95),
        runs("neggrad-plus@lr=0.02", 1.0, lr=0.02, beta=0.95),
        runs("neggrad-plus@beta=0.99", 0.5, lr=0.1, beta=0.99),
        runs("neggrad-plus+cl", 2.0, lr=0.02, beta=0.95, tau=0.1),
    ]
    tested = rows_of(evidence(*frames), "term")
    assert list(tested["subject"]) == [
        "`neggrad-plus` with the term and `lr` 0.02 for 0.1",
        "`neggrad-plus` with the term, all else the same",
    ]
    assert list(tested["verdict"]) == [REPRODUCED, NOT_REPRODUCED]
    assert list(tested["value"]) == pytest.approx([3.0, -1.0], abs=0.2)


def test_what_all_values_of_an_ablation_have_in_common_is_told():
    frames = [runs("retrain", 0.0), runs("coun@epochs=20@tau=0.1", 1.0, tau=0.1, epochs=20)]
    frames.append(runs("coun@epochs=20@tau=0.3", 2.0, tau=0.3, epochs=20))
    assert list(rows_of(evidence(*frames), "tau")["subject"]) == ["`tau` among 0.1, 0.3, `epochs` 20"]


def test_what_is_within_the_noise_is_undecided():
    wide = evidence(runs("retrain", 0.0, noise=2.0), runs("ft", 3.0, noise=3.0), runs("coun", 2.9, noise=3.0))
    assert set(rows_of(wide, "best")["verdict"]) == {UNDECIDED}


def test_a_claim_that_the_study_cannot_test_says_what_it_needs():
    tested = verdicts(evidence(runs("retrain", 0.0), runs("ft", 3.0)))
    assert list(tested["claim"]) == [claim.key for claim in CLAIMS]
    assert set(tested["verdict"]) == {UNTESTED} == set(tested["after_holm"])
    assert tested["remark"].str.startswith("needs ").all()


def test_one_trial_decides_nothing(story):
    single = evidence(*(frame[frame["trial"] == 0] for frame in story))
    best = rows_of(single, "best").iloc[0]
    assert best["verdict"] == UNDECIDED == best["after_holm"]
    assert best["remark"] == "one trial: no interval"


def test_a_diverged_run_is_no_evidence(story):
    frame = pd.concat(story).assign(status="finished")
    frame.loc[(frame["method"] == "coun") & (frame["trial"] == 2), "status"] = "diverged"
    best = rows_of(evidence(frame), "best").iloc[0]
    assert best["trials"] == 4 and best["remark"] == "diverged: `coun` in 1"
    # What is left are the trials that went well: they decide nothing.
    assert best["low"] > 0 and best["verdict"] == UNDECIDED == best["after_holm"] and np.isnan(best["p"])
    assert rows_of(evidence(frame), "term").set_index("subject").loc["`not` with the term", "verdict"] == NOT_REPRODUCED


def test_a_method_that_always_diverged_is_told_of(story):
    frame = pd.concat(story).assign(status="finished")
    frame.loc[frame["method"] == "neggrad-plus", "status"] = "diverged"
    worst = rows_of(evidence(frame), "ft-worst").iloc[0]
    assert worst["verdict"] == UNDECIDED and worst["remark"] == "diverged: `neggrad-plus` in 5"
    frame.loc[frame["method"] == "coun", "status"] = "diverged"
    best = rows_of(evidence(frame), "best").iloc[0]
    assert best["verdict"] == UNTESTED and best["remark"].endswith("in runs that did not diverge")


def test_the_correction_counts_all_claims(story):
    table = verdicts(evidence(*story))
    tested = table[table["verdict"] != UNTESTED]
    smallest = tested["p"].min()
    assert tested.loc[tested["p"].idxmin(), "p_holm"] == pytest.approx(min(1, len(tested) * smallest))
    assert (tested["p_holm"] >= tested["p"]).all()


def test_all_claims_may_be_tested_and_none(story, monkeypatch):
    best = [claim for claim in CLAIMS if claim.key == "best"]
    monkeypatch.setattr("benchmark.metrics.verdicts.CLAIMS", best)
    assert verdicts(evidence(*story))["after_holm"].tolist() == [REPRODUCED]
    assert verdicts(evidence(story[0]))["after_holm"].tolist() == [UNTESTED]


def test_class_wise_gaps_against_the_noise_floor():
    retrain = runs("retrain", 0.0, noise=0.0, scenario="class-truck")
    # Retrain's trials are -1, -0.5, 0, 0.5, 1: to the mean of the others 1.25, 0.625, 0, 0.625, 1.25; on average 0.75.
    tested = rows_of(
        evidence(retrain, runs("ft", 0.2, scenario="class-truck"), runs("not", 5.0, scenario="class-truck")), "easy"
    )
    assert list(tested["subject"]) == ["`ft`", "`not`"]
    assert tested["value"][0] == pytest.approx(0.75 - 0.2, abs=0.15) and tested["verdict"][0] == REPRODUCED
    assert tested["value"][1] == pytest.approx(0.75 - 5.0, abs=0.15) and tested["verdict"][1] == NOT_REPRODUCED


def test_ablations_compare_runs_that_differ_in_one_setting():
    tuned = {"tau": 0.12, "lr": 0.1, "cl_transform": "CHN", "batch_size": 64}
    frames = [
        runs("retrain", 0.0, noise=0.0),
        runs("coun", 2.0, **tuned),
        runs("coun@tau=0.05", 4.0, **tuned | {"tau": 0.05}),
        runs("coun@tau=0.3", 5.0, **tuned | {"tau": 0.3}),
        runs("coun@lr=0.01@tau=0.2", 0.5, **tuned | {"tau": 0.2, "lr": 0.01}),  # differs in two: not compared
        runs("coun@cl_transform=CN", 1.0, **tuned | {"cl_transform": "CN"}),
        runs("coun@batch_size=256", 0.5, **tuned | {"batch_size": 256}),
    ]
    known = evidence(*frames)
    tau = rows_of(known, "tau")
    assert list(tau["subject"]) == ["`tau` among 0.05, 0.12, 0.3"]
    assert tau["value"][0] == pytest.approx(2.0, abs=0.2) and tau["verdict"][0] == REPRODUCED
    views = rows_of(known, "views")
    assert views["value"][0] == pytest.approx(-1.0, abs=0.2) and views["verdict"][0] == NOT_REPRODUCED
    assert rows_of(known, "batch")["verdict"][0] == REPRODUCED
    assert rows_of(evidence(*frames[:-1]), "batch")["verdict"][0] == UNTESTED


def test_equal_computation_takes_the_longest_run_that_costs_no_more():
    frames = [
        runs("retrain", 0.0, noise=0.0),
        runs("ft", 6.0, cost=3.0),
        runs("neggrad-plus", 5.0, cost=6.0),
        runs("coun", 2.0, cost=6.0),
        runs("coun@epochs=20", 7.0, cost=3.0),
        runs("coun@epochs=10", 9.0, cost=1.5),
    ]
    tested = rows_of(evidence(*frames), "budget").set_index("subject")
    assert tested.loc["`coun@epochs=20` at 100 % of the cost of `ft`", "verdict"] == NOT_REPRODUCED
    assert tested.loc["`coun` at 100 % of the cost of `neggrad-plus`", "verdict"] == REPRODUCED


def test_stages_are_compared_with_the_retrain_of_what_is_gone():
    metrics = [runs("retrain", 0.0, noise=0.0, scenario=f"random-{p}") for p in (10, 20)]
    history = []
    for method, shifts in {"ft": (4.0, 6.0), "coun": (1.0, 5.0)}.items():
        for stage, shift in enumerate(shifts, 1):
            for epoch, extra in ((2 * stage - 1, 50.0), (2 * stage, 0.0)):  # only the stage's last epoch counts
                rows = runs(method, shift + extra, scenario="sequential-2x10")
                history.append(rows.assign(stage=stage, epoch=epoch).drop(columns="pflops_executed"))
    tested = rows_of(evidence(*metrics, history=pd.concat(history, ignore_index=True)), "stages")
    assert tested["value"][0] == pytest.approx(1.0, abs=0.2)  # the smaller lead of the two stages
    assert tested["verdict"][0] == REPRODUCED


def test_a_trial_counts_at_every_stage_or_at_none():
    metrics = [runs("retrain", 0.0, noise=0.0, scenario=f"random-{p}") for p in (10, 20)]
    history = []
    for method, shift in {"ft": 4.0, "coun": 1.0}.items():
        for stage in (1, 2):
            rows = runs(method, shift, scenario="sequential-2x10").assign(stage=stage, epoch=stage)
            if (method, stage) == ("coun", 2):
                rows.loc[rows["trial"] == 0, ["ra", "ua", "ta", "mia"]] = np.nan
            history.append(rows.drop(columns="pflops_executed"))
    tested = rows_of(evidence(*metrics, history=pd.concat(history, ignore_index=True)), "stages")
    assert tested["trials"][0] == 4


def test_predictions_that_go_where_retrains_go():
    shares = {"retrain": (10.0, 90.0), "ft": (60.0, 40.0), "coun": (20.0, 80.0)}
    rows = [
        {**PLACE, "method": method, "trial": trial, "membership": membership, "label": "truck"}
        | {"prediction": prediction, "percent": percent + jitter * trial * len(method)}
        for method, both in shares.items()
        for prediction, percent, jitter in zip(("truck", "ship"), both, (0.1, -0.1), strict=True)
        for trial in range(3)
        for membership in ("forget", "retain")
    ]
    frames = [runs(method, 1.0, trials=3) for method in shares]
    tested = rows_of(evidence(*frames, predictions=pd.DataFrame(rows)), "directions")
    assert tested["value"][0] == pytest.approx(50.0 - 10.0, abs=0.5)
    assert tested["verdict"][0] == REPRODUCED
    # A broken run goes nowhere; the trial that it had is left out.
    frame = pd.concat(frames).assign(status="finished")
    frame.loc[(frame["method"] == "ft") & (frame["trial"] == 1), "status"] = "diverged"
    tested = rows_of(evidence(frame, predictions=pd.DataFrame(rows)), "directions")
    assert tested["trials"][0] == 2 and tested["verdict"][0] == UNDECIDED


def test_the_lemma_reads_the_theorys_table():
    theory = pd.DataFrame(
        {**PLACE, "method": "coun", "trial": trial, "group": group, "r_0.2": r + trial / 100, "r_0.4": r}
        for trial in range(3)
        for group, r in (("retain", 0.1), ("forget", 0.3 + trial / 50))
    )
    tested = rows_of(evidence(runs("retrain", 0.0), runs("coun", 1.0), theory=theory), "lemma")
    assert tested["value"][0] == pytest.approx(100 * (0.2 + 0.02))
    assert tested["unit"][0] == "% of images" and tested["trials"][0] == 3
    assert tested["verdict"][0] == REPRODUCED
    lost = theory.assign(diverged=theory["trial"] == 2, **{"r_0.2": theory["r_0.2"].where(theory["trial"] < 2)})
    lost.loc[lost["trial"] == 2, "r_0.4"] = np.nan
    tested = rows_of(evidence(runs("retrain", 0.0), runs("coun", 1.0), theory=lost), "lemma")
    assert tested["trials"][0] == 2 and tested["verdict"][0] == UNDECIDED
    assert tested["remark"][0] == "diverged: `coun` in 1"
