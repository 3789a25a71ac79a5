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
CLOSE = 0.2  # how far the noise may take a formula from what it would be without
EMPTY = pd.DataFrame()


def runs(method, shift, trials=5, noise=0.1, scenario="random-50", cost=1.0, **settings):
    """A method whose metrics are all ``shift`` above Retrain's, in trials that vary together with Retrain's."""
    shared = np.linspace(-1, 1, trials)[:, None]
    own = np.random.default_rng(len(method) + 7).normal(0, noise, (trials, 4))
    metrics = pd.DataFrame(np.array([*RETRAIN.values()]) + shift + shared + own, columns=[*RETRAIN])
    fields = {f"setting_{key}": value for key, value in settings.items()}
    place = PLACE | {"scenario": scenario, "method": method}
    return metrics.assign(**place, trial=range(trials), pflops_executed=cost, **fields)


def retrain(**given):
    return runs("retrain", 0.0, noise=0.0, **given)


def rows_of(claim, *frames, history=EMPTY, predictions=EMPTY, theory=EMPTY):
    """The rows of a claim, or of all."""
    table = verdicts(Evidence(pd.concat(frames, ignore_index=True), history, predictions, theory))
    return table[table["claim"] == claim].reset_index(drop=True) if claim else table


@pytest.fixture
def story():
    """FT far away, NegGrad+ nearer, CoUn nearest; NoT is made worse by the term."""
    shifts = {"ft": 8.0, "neggrad-plus": 5.0, "neggrad-plus+cl": 3.0, "not": 4.0, "not+cl": 6.0, "coun": 2.0}
    return pd.concat([retrain(), *(runs(method, shift) for method, shift in shifts.items())]).assign(status="finished")


def test_the_gap_is_that_of_the_means_over_the_trials_that_all_have():
    cell = Cell("cifar10", "resnet18", "random-50")
    trials = Trials(pd.concat([retrain(), runs("ft", 8.0, noise=0.0)]), cell, ["ft"])
    drawn = np.array([[0, 1, 2, 3, 4], [0, 0, 0, 0, 4]])
    assert trials.gap("ft", drawn) == pytest.approx([8.0, 8.0])  # trials vary together with Retrain's
    frame = pd.concat([retrain(), runs("ft", 8.0, trials=3), runs("not", 1.0).query("trial > 0")])
    assert Trials(frame, cell, ["ft", "not"]).numbers == [1, 2]
    assert len(Trials(frame, Cell("cifar10", "resnet18", "random-10"), ["ft"])) == 0


def test_the_order_of_methods_and_what_the_term_does(story):
    best, worst = rows_of("best", story).iloc[0], rows_of("ft-worst", story).iloc[0]
    assert best["value"] == pytest.approx(2.0, abs=CLOSE)  # NoT at 4, CoUn at 2
    assert worst["value"] == pytest.approx(3.0, abs=CLOSE)  # FT at 8, NegGrad+ at 5
    assert best["verdict"] == best["after_holm"] == worst["verdict"] == REPRODUCED
    term = rows_of("term", story).set_index("subject")
    assert term.loc["`neggrad-plus` with the term", "verdict"] == REPRODUCED
    assert term.loc["`not` with the term", "verdict"] == NOT_REPRODUCED
    assert term.loc["`not` with the term", "value"] == pytest.approx(-2.0, abs=CLOSE)
    assert "`l1-sparse` with the term" not in term.index


def test_a_term_that_came_with_another_learning_rate_is_compared_at_that_rate_too():
    rows = rows_of(
        "term",
        retrain(),
        runs("neggrad-plus", 5.0, lr=0.1, beta=0.95),
        runs("neggrad-plus@lr=0.02", 1.0, lr=0.02, beta=0.95),
        runs("neggrad-plus@beta=0.99", 0.5, lr=0.1, beta=0.99),
        runs("neggrad-plus+cl", 2.0, lr=0.02, beta=0.95, tau=0.1),
    )
    assert list(rows["subject"]) == [
        "`neggrad-plus` with the term and `lr` 0.02 for 0.1",
        "`neggrad-plus` with the term, all else the same",
    ]
    assert list(rows["verdict"]) == [REPRODUCED, NOT_REPRODUCED]
    assert list(rows["value"]) == pytest.approx([3.0, -1.0], abs=CLOSE)


def test_what_is_within_the_noise_is_undecided_and_one_trial_decides_nothing(story):
    wide = rows_of("best", runs("retrain", 0.0, noise=2.0), runs("ft", 3.0, noise=3.0), runs("coun", 2.9, noise=3.0))
    assert set(wide["verdict"]) == {UNDECIDED}
    best = rows_of("best", story[story["trial"] == 0]).iloc[0]
    assert best["verdict"] == UNDECIDED == best["after_holm"] and best["remark"] == "one trial: no interval"


def test_a_claim_that_the_study_cannot_test_says_what_it_needs():
    table = rows_of(None, retrain(), runs("ft", 3.0))
    assert list(table["claim"]) == [claim.key for claim in CLAIMS]
    assert set(table["verdict"]) == {UNTESTED} == set(table["after_holm"])
    assert table["remark"].str.startswith("needs ").all()


def test_a_diverged_run_is_no_evidence(story):
    def diverged(method, trials):
        frame = story.copy()
        frame.loc[(frame["method"] == method) & frame["trial"].isin(trials), "status"] = "diverged"
        return frame

    lost = diverged("coun", [2])
    best = rows_of("best", lost).iloc[0]
    assert best["trials"] == 4 and best["remark"] == "diverged: `coun` in 1"
    # What is left are the trials that went well: they decide nothing.
    assert best["low"] > 0 and best["verdict"] == UNDECIDED == best["after_holm"] and np.isnan(best["p"])
    assert rows_of("term", lost).set_index("subject").loc["`not` with the term", "verdict"] == NOT_REPRODUCED
    worst = rows_of("ft-worst", diverged("neggrad-plus", range(5))).iloc[0]
    assert worst["verdict"] == UNDECIDED and worst["remark"] == "diverged: `neggrad-plus` in 5"
    best = rows_of("best", diverged("coun", range(5))).iloc[0]
    assert best["verdict"] == UNTESTED and best["remark"].endswith("in runs that did not diverge")


def test_the_correction_counts_all_claims_and_all_may_be_tested_or_none(story, monkeypatch):
    table = rows_of(None, story)
    table = table[table["verdict"] != UNTESTED]
    smallest = table["p"].min()
    assert table.loc[table["p"].idxmin(), "p_holm"] == pytest.approx(min(1, len(table) * smallest))
    assert (table["p_holm"] >= table["p"]).all()
    monkeypatch.setattr("benchmark.metrics.verdicts.CLAIMS", [claim for claim in CLAIMS if claim.key == "best"])
    assert rows_of(None, story)["after_holm"].tolist() == [REPRODUCED]
    assert rows_of(None, retrain())["after_holm"].tolist() == [UNTESTED]


def test_class_wise_gaps_against_the_noise_floor():
    # Retrain's trials are -1, -0.5, 0, 0.5, 1: to the mean of the others 1.25, 0.625, 0, 0.625, 1.25; on average 0.75.
    scenario = {"scenario": "class-truck"}
    rows = rows_of("easy", retrain(**scenario), runs("ft", 0.2, **scenario), runs("not", 5.0, **scenario))
    assert list(rows["subject"]) == ["`ft`", "`not`"] and list(rows["verdict"]) == [REPRODUCED, NOT_REPRODUCED]
    assert list(rows["value"]) == pytest.approx([0.75 - 0.2, 0.75 - 5.0], abs=0.15)


def test_ablations_compare_runs_that_differ_in_one_setting():
    tuned = {"tau": 0.12, "lr": 0.1, "cl_transform": "CHN", "batch_size": 64}
    frames = [
        retrain(),
        runs("coun", 2.0, **tuned),
        runs("coun@tau=0.05", 4.0, **tuned | {"tau": 0.05}),
        runs("coun@tau=0.3", 5.0, **tuned | {"tau": 0.3}),
        runs("coun@lr=0.01@tau=0.2", 0.5, **tuned | {"tau": 0.2, "lr": 0.01}),  # differs in two: not compared
        runs("coun@cl_transform=CN", 1.0, **tuned | {"cl_transform": "CN"}),
        runs("coun@batch_size=256", 0.5, **tuned | {"batch_size": 256}),
    ]
    tau, views = rows_of("tau", *frames), rows_of("views", *frames)
    assert list(tau["subject"]) == ["`tau` among 0.05, 0.12, 0.3"]
    assert tau["value"][0] == pytest.approx(2.0, abs=CLOSE) and tau["verdict"][0] == REPRODUCED
    assert views["value"][0] == pytest.approx(-1.0, abs=CLOSE) and views["verdict"][0] == NOT_REPRODUCED
    assert rows_of("batch", *frames)["verdict"][0] == REPRODUCED
    assert rows_of("batch", *frames[:-1])["verdict"][0] == UNTESTED
    # What all values have in common is named.
    short = [runs(f"coun@epochs=20@tau={tau}", 1.0, tau=tau, epochs=20) for tau in (0.1, 0.3)]
    assert list(rows_of("tau", retrain(), *short)["subject"]) == ["`tau` among 0.1, 0.3, `epochs` 20"]


def test_equal_computation_takes_the_longest_run_that_costs_no_more():
    rows = rows_of(
        "budget",
        retrain(),
        runs("ft", 6.0, cost=3.0),
        runs("neggrad-plus", 5.0, cost=6.0),
        runs("coun", 2.0, cost=6.0),
        runs("coun@epochs=20", 7.0, cost=3.0),
        runs("coun@epochs=10", 9.0, cost=1.5),
    ).set_index("subject")
    assert rows.loc["`coun@epochs=20` at 100 % of the cost of `ft`", "verdict"] == NOT_REPRODUCED
    assert rows.loc["`coun` at 100 % of the cost of `neggrad-plus`", "verdict"] == REPRODUCED


def test_stages_are_compared_with_the_retrain_of_what_is_gone_and_a_trial_counts_at_every_stage_or_at_none():
    metrics = [retrain(scenario=f"random-{percent}") for percent in (10, 20)]
    history = []
    for method, shifts in {"ft": (4.0, 6.0), "coun": (1.0, 5.0)}.items():
        for stage, shift in enumerate(shifts, 1):
            for epoch, extra in ((2 * stage - 1, 50.0), (2 * stage, 0.0)):  # only the stage's last epoch counts
                rows = runs(method, shift + extra, scenario="sequential-2x10")
                history.append(rows.assign(stage=stage, epoch=epoch).drop(columns="pflops_executed"))
    rows = rows_of("stages", *metrics, history=pd.concat(history, ignore_index=True))
    assert rows["value"][0] == pytest.approx(1.0, abs=CLOSE)  # the smaller lead of the two stages
    assert rows["verdict"][0] == REPRODUCED and rows["trials"][0] == 5
    history[-1].loc[history[-1]["trial"] == 0, [*RETRAIN]] = np.nan
    assert rows_of("stages", *metrics, history=pd.concat(history, ignore_index=True))["trials"][0] == 4


def test_predictions_that_go_where_retrains_go():
    shares = {"retrain": (10.0, 90.0), "ft": (60.0, 40.0), "coun": (20.0, 80.0)}
    predictions = pd.DataFrame(
        {**PLACE, "method": method, "trial": trial, "membership": membership, "label": "truck"}
        | {"prediction": prediction, "percent": percent + jitter * trial * len(method)}
        for method, both in shares.items()
        for prediction, percent, jitter in zip(("truck", "ship"), both, (0.1, -0.1), strict=True)
        for trial in range(3)
        for membership in ("forget", "retain")
    )
    frame = pd.concat([runs(method, 1.0, trials=3) for method in shares]).assign(status="finished")
    rows = rows_of("directions", frame, predictions=predictions)
    assert rows["value"][0] == pytest.approx(50.0 - 10.0, abs=0.5) and rows["verdict"][0] == REPRODUCED
    # A broken run goes nowhere; the trial that it had is left out.
    frame.loc[(frame["method"] == "ft") & (frame["trial"] == 1), "status"] = "diverged"
    rows = rows_of("directions", frame, predictions=predictions)
    assert rows["trials"][0] == 2 and rows["verdict"][0] == UNDECIDED


def test_the_lemma_reads_the_theorys_table():
    theory = pd.DataFrame(
        {**PLACE, "method": "coun", "trial": trial, "group": group, "r_0.2": r + trial / 100, "r_0.4": r}
        for trial in range(3)
        for group, r in (("retain", 0.1), ("forget", 0.3 + trial / 50))
    )
    row = rows_of("lemma", retrain(), runs("coun", 1.0), theory=theory).iloc[0]
    assert row["value"] == pytest.approx(100 * (0.2 + 0.02)) and row["unit"] == "% of images"
    assert row["trials"] == 3 and row["verdict"] == REPRODUCED
    lost = theory.assign(diverged=theory["trial"] == 2)
    lost.loc[lost["diverged"], ["r_0.2", "r_0.4"]] = np.nan
    row = rows_of("lemma", retrain(), runs("coun", 1.0), theory=lost).iloc[0]
    assert row["trials"] == 2 and row["verdict"] == UNDECIDED and row["remark"] == "diverged: `coun` in 1"
