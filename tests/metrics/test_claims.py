"""Claims within a cell, their verdicts and their families, on made-up results."""

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics.bootstrap import trials_needed
from benchmark.metrics.claims import CLAIMS
from benchmark.metrics.claims.claim import ALL_ELSE_SAME
from benchmark.metrics.evidence import Trials, leaders
from benchmark.metrics.reported import reported_means
from benchmark.metrics.verdicts import NOT_REPRODUCED, PRIMARY, REPRODUCED, UNDECIDED, UNTESTED
from benchmark.names import Cell
from tests.metrics.made_up import CLOSE, retrain, rows_of, runs

CELL = Cell("cifar10", "resnet18", "random-50")  # of made-up runs


@pytest.fixture
def story():
    """FT is farthest from Retrain, NegGrad+ nearer, CoUn nearest; adding CL makes NoT worse."""
    shifts = {"ft": 8.0, "neggrad-plus": 5.0, "neggrad-plus+cl": 3.0, "not": 4.0, "not+cl": 6.0, "coun": 2.0}
    return pd.concat([retrain(), *(runs(method, shift) for method, shift in shifts.items())]).assign(status="finished")


def test_a_gap_is_between_means_over_the_trials_that_all_methods_have():
    trials = Trials(pd.concat([retrain(), runs("ft", 8.0, noise=0.0)]), CELL, ["ft"])
    drawn = np.array([[0, 1, 2, 3, 4], [0, 0, 0, 0, 4]])
    assert trials.gap("ft", drawn) == pytest.approx([8.0, 8.0])  # trials vary together with Retrain's
    frame = pd.concat([retrain(), runs("ft", 8.0, trials=3), runs("not", 1.0).query("trial > 0")])
    assert Trials(frame, CELL, ["ft", "not"]).numbers == [1, 2]
    assert len(Trials(frame, Cell("cifar10", "resnet18", "random-10"), ["ft"])) == 0


def test_the_noise_floor_is_of_all_trials_of_retrain_for_means_over_those_compared():
    trials = Trials(pd.concat([retrain(), runs("ft", 8.0, trials=2)]), CELL, ["ft"])
    # Retrain's five trials lie 0.75 from one another on average; two means of two differ by 2 / 2 of a variance.
    assert trials.noise_floor == pytest.approx(0.75 * np.sqrt((2 / 2) / (5 / 4)))


def test_with_a_single_trial_no_method_leads():
    frame = pd.concat([retrain(), runs("ft", 8.0), runs("coun", 2.0)])
    assert leaders(frame, CELL, ["ft", "coun"]) == {"coun"}
    assert leaders(frame[frame["trial"] == 0], CELL, ["ft", "coun"]) == set()


def test_methods_without_chance_are_told_apart_though_their_difference_has_no_interval():
    frame = pd.concat([retrain(), runs("ssd", 8.0, noise=0.0), runs("coun", 2.0, noise=0.0)])
    assert leaders(frame, CELL, ["ssd", "coun"]) == {"coun"}


def test_a_method_with_few_trials_takes_none_from_the_others():
    frame = pd.concat([retrain(), runs("ft", 2.5), runs("coun", 2.0), runs("ssd", 30.0, trials=2)])
    assert leaders(frame, CELL, ["ft", "coun", "ssd"]) == leaders(frame, CELL, ["ft", "coun"]) == {"coun"}
    assert leaders(frame[frame["trial"] < 2], CELL, ["ft", "coun"]) == {"ft", "coun"}
    first = pd.concat([frame, runs("not", 0.1, trials=1)])
    assert leaders(first, CELL, ["ft", "coun", "not"]) == {"coun"}


def test_collapsed_runs_are_counted_in_the_compared_trials_alone():
    frame = pd.concat([retrain(), runs("ft", 8.0), runs("coun", 2.0).query("trial > 0")])
    frame = frame.assign(collapsed=(frame["method"] == "ft") & (frame["trial"] < 2))
    assert Trials(frame, CELL, ["ft", "coun"]).collapsed == {"ft": 1}


def test_claims_about_the_order_of_methods_and_about_adding_cl(story):
    best, worst = rows_of("best", story).iloc[0], rows_of("ft-worst", story).iloc[0]
    assert best["value"] == pytest.approx(2.0, abs=CLOSE)  # NoT at 4, CoUn at 2
    assert worst["value"] == pytest.approx(3.0, abs=CLOSE)  # FT at 8, NegGrad+ at 5
    assert best["verdict"] == best["after_holm"] == worst["verdict"] == REPRODUCED
    term = rows_of("term", story).set_index("subject")
    assert term.loc["`neggrad-plus` with the term", "verdict"] == REPRODUCED
    assert term.loc["`not` with the term", "verdict"] == NOT_REPRODUCED
    assert term.loc["`not` with the term", "value"] == pytest.approx(-2.0, abs=CLOSE)
    assert "`l1-sparse` with the term" not in term.index


def test_the_trials_that_a_claim_needs_follow_from_its_value_and_deviation(story):
    best = rows_of("best", story).iloc[0]
    assert best["trials_needed"] == trials_needed(best["value"], best["sd"]) < 5


def test_cl_at_another_learning_rate_is_compared_at_that_rate_too():
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


def test_a_difference_within_the_noise_or_of_one_trial_is_undecided(story):
    noisy = rows_of("best", runs("retrain", 0.0, noise=2.0), runs("ft", 3.0, noise=3.0), runs("coun", 2.9, noise=3.0))
    assert set(noisy["verdict"]) == {UNDECIDED}
    best = rows_of("best", story[story["trial"] == 0]).iloc[0]
    assert best["verdict"] == UNDECIDED == best["after_holm"] and best["remark"] == "one trial: no interval"


def test_an_untested_claim_says_what_it_needs():
    table = rows_of(None, retrain(), runs("ft", 3.0))
    assert list(table["claim"]) == [claim.key for claim in CLAIMS]
    assert set(table["verdict"]) == {UNTESTED} == set(table["after_holm"])
    assert table["remark"].str.startswith("needs ").all()


def test_a_claim_is_undecided_where_a_run_diverged(story):
    def diverged(method, trials):
        frame = story.copy()
        frame.loc[(frame["method"] == method) & frame["trial"].isin(trials), "status"] = "diverged"
        return frame

    frame = diverged("coun", [2])
    best = rows_of("best", frame).iloc[0]
    assert best["trials"] == 4 and best["remark"] == "diverged: `coun` in 1"
    # Only the trials that went well remain: they decide nothing.
    assert best["low"] > 0 and best["verdict"] == UNDECIDED == best["after_holm"] and np.isnan(best["p"])
    assert rows_of("term", frame).set_index("subject").loc["`not` with the term", "verdict"] == NOT_REPRODUCED
    worst = rows_of("ft-worst", diverged("neggrad-plus", range(5))).iloc[0]
    assert worst["verdict"] == UNDECIDED and worst["remark"] == "diverged: `neggrad-plus` in 5"
    best = rows_of("best", diverged("coun", range(5))).iloc[0]
    assert best["verdict"] == UNTESTED and best["remark"].endswith("in runs that did not diverge")


def test_holms_correction_counts_the_tests_of_a_family(story, monkeypatch):
    table = rows_of(None, story)
    assert set(table.loc[table["family"] == PRIMARY, "claim"]) == {"best", "term"}
    table = table[table["verdict"] != UNTESTED]
    for _, tests in table.groupby("family"):
        assert len(tests) < len(table)
        assert tests.loc[tests["p"].idxmin(), "p_holm"] == pytest.approx(min(1, len(tests) * tests["p"].min()))
    assert (table["p_holm"] >= table["p"]).all()
    monkeypatch.setattr("benchmark.metrics.verdicts.CLAIMS", [claim for claim in CLAIMS if claim.key == "best"])
    assert rows_of(None, story)["after_holm"].tolist() == [REPRODUCED]
    assert rows_of(None, retrain())["after_holm"].tolist() == [UNTESTED]


def test_a_verdict_after_holms_correction_is_by_the_corrected_p_value(story, monkeypatch):
    monkeypatch.setattr("benchmark.metrics.verdicts.holm", lambda p: np.full(len(p), 0.06))
    best = rows_of("best", story).iloc[0]
    assert best["p"] < 0.05 and best["verdict"] == REPRODUCED and best["after_holm"] == UNDECIDED


def test_class_wise_gaps_are_judged_by_the_noise_floor_and_the_margin():
    # Retrain's trials, -1 to 1, are 1.25, 0.625, 0, 0.625 and 1.25 from the mean of the others: on average 0.75.
    # One trial and a mean of four differ by 5 / 4 of a trial's variance, two means of five by 2 / 5 of it.
    floor = 0.75 * np.sqrt((2 / 5) / (5 / 4))
    truck = {"scenario": "class-truck", "noise": 0.0}
    rows = rows_of("easy", retrain(scenario="class-truck"), runs("ft", 0.2, **truck), runs("not", -5.0, **truck))
    assert list(rows["value"]) == pytest.approx([floor + 1 - 0.2, floor + 1 - 5.0])  # a margin of a point
    signed = ["RA +0.20, UA +0.20, TA +0.20, MIA +0.20", "RA −5.00, UA −5.00, TA −5.00, MIA −5.00"]
    assert list(rows["subject"]) == [f"`ft`: {signed[0]}", f"`not`: {signed[1]}"]
    noisy = {"scenario": "class-truck"}
    frames = [retrain(**noisy), runs("ft", 0.1, **noisy), runs("not", 5.0, **noisy)]
    assert list(rows_of("easy", *frames)["verdict"]) == [REPRODUCED, NOT_REPRODUCED]
    assert list(rows_of("easy", *frames, margin=6.0)["verdict"]) == [REPRODUCED, REPRODUCED]


def test_a_collapsed_run_counts_and_is_remarked_on(story):
    collapsed = (story["method"] == "not") & story["trial"].isin([1, 3])
    best = rows_of("best", story.assign(collapsed=collapsed)).iloc[0]
    assert best["remark"] == "collapsed: `not` in 2" and best["verdict"] == REPRODUCED and best["trials"] == 5


def test_the_further_methods_are_a_claim_of_their_own():
    rows = rows_of("further", retrain(), runs("ft", 1.0), runs("scrub", 3.0), runs("cu", 6.0), runs("coun", 2.0))
    assert list(rows["subject"]) == ["against `scrub`, `cu`"]
    assert rows["value"][0] == pytest.approx(1.0, abs=CLOSE)


def test_an_ablation_compares_runs_that_differ_in_one_setting():
    tuned = {"tau": 0.12, "lr": 0.1, "cl_transform": "CHN", "batch_size": 64}
    frames = [
        retrain(),
        runs("coun", 2.0, **tuned),
        runs("coun@tau=0.05", 4.0, **tuned | {"tau": 0.05}),
        runs("coun@tau=0.3", 5.0, **tuned | {"tau": 0.3}),
        runs("coun@lr=0.01@tau=0.2", 0.5, **tuned | {"tau": 0.2, "lr": 0.01}),  # two settings differ: not compared
        runs("coun@batch_size=256", 0.5, **tuned | {"batch_size": 256}),
    ]
    tau = rows_of("tau", *frames)
    assert list(tau["subject"]) == ["`tau` 0.12 against 0.05, 0.3"]
    assert tau["value"][0] == pytest.approx(2.0, abs=CLOSE) and tau["verdict"][0] == REPRODUCED
    assert rows_of("batch", *frames)["verdict"][0] == REPRODUCED
    assert rows_of("batch", *frames[:-1])["verdict"][0] == UNTESTED
    # A setting that all values share is named.
    short = [runs(f"coun@epochs=20@tau={tau}", 1.0, tau=tau, epochs=20) for tau in (0.1, 0.3)]
    assert list(rows_of("tau", retrain(), *short)["subject"]) == ["`tau` 0.1 against 0.3, `epochs` 20"]


def test_how_often_a_run_is_evaluated_is_no_setting_in_which_runs_differ():
    frames = [runs("coun", 2.0, lr=0.1, tau=0.12, evaluate_every=1)]
    frames.append(runs("coun@evaluate_every=5@tau=0.3", 5.0, lr=0.1, tau=0.3, evaluate_every=5))
    assert list(rows_of("tau", retrain(), *frames)["subject"]) == ["`tau` 0.12 against 0.3"]


def test_weights_in_between_are_compared_with_both_ends():
    values = {0.1: 4.0, 1.5: 2.0, 3: 1.0, 10: 5.0}
    frames = [runs(f"coun@lambda={value}", shift, lr=0.1, **{"lambda": value}) for value, shift in values.items()]
    (row,) = rows_of("lambda", retrain(), *frames).to_dict("records")
    assert row["subject"] == "`lambda` 1.5, 3 against 0.1, 10" and row["value"] == pytest.approx(3.0, abs=CLOSE)
    (row,) = rows_of("lambda", retrain(), *frames[:3]).to_dict("records")
    assert row["value"] == pytest.approx(-1.0, abs=CLOSE) and row["verdict"] == NOT_REPRODUCED
    assert rows_of("lambda", retrain(), *frames[:2])["verdict"][0] == UNTESTED


def test_a_strong_second_view_is_worse_and_flipping_makes_no_difference():
    shifts = {"CN": 2.1, "CHN": 2.0, "CHJN": 5.0, "CHJGN": 7.0}
    frames = {
        view: runs(f"coun@cl_transform={view}", shift, lr=0.1, cl_transform=view) for view, shift in shifts.items()
    }
    (strong,) = rows_of("strong-view", retrain(), *frames.values()).to_dict("records")
    assert strong["subject"] == "`cl_transform` CHN against CHJGN, CHJN" and strong["verdict"] == REPRODUCED
    assert strong["value"] == pytest.approx(3.0, abs=CLOSE)
    (equal,) = rows_of("equal-views", retrain(), *frames.values()).to_dict("records")
    assert equal["value"] == pytest.approx(1 + 0.75 * np.sqrt(0.32) - 0.1, abs=CLOSE) and equal["verdict"] == REPRODUCED
    assert equal["subject"].startswith("`cl_transform` CHN against CN: RA ")
    frames["CN"] = runs("coun@cl_transform=CN", 9.0, lr=0.1, cl_transform="CN")
    assert rows_of("equal-views", retrain(), *frames.values())["verdict"][0] == NOT_REPRODUCED


def test_at_equal_computation_the_longest_run_that_costs_no_more_is_compared():
    rows = rows_of(
        "budget",
        retrain(),
        runs("ft", 6.0, cost=3.0),
        runs("neggrad-plus", 5.0, cost=6.0),
        runs("not", 4.0, cost=6.0),
        runs("coun", 2.0, cost=6.0),
        runs("coun@epochs=20", 7.0, cost=3.0),
        runs("coun@epochs=10", 9.0, cost=1.5),
    ).set_index("subject")
    assert rows.loc["`coun@epochs=20` at 100 % of the cost of `ft`", "verdict"] == NOT_REPRODUCED
    assert rows.loc["`coun` at 100 % of the cost of `neggrad-plus`", "verdict"] == REPRODUCED
    # CoUn and the nearest of the others are compared by the claim that CoUn is nearest, and not counted twice.
    assert "`coun` at 100 % of the cost of `not`" not in rows.index
    # At equal cost the claim about the term compares the same two runs as well.
    equal = rows_of("budget", retrain(), runs("ft", 6.0, cost=6.0), runs("coun", 2.0, cost=6.0))
    assert not equal["value"].notna().any()
    # The cost of a run that diverged ends where it did, and says nothing of what the others cost.
    coun = runs("coun", 2.0, cost=6.0).assign(status="finished")
    coun.loc[1, ["status", "pflops_executed"]] = "diverged", 0.5
    shorter = runs("coun@epochs=20", 7.0, cost=4.0)
    another = runs("coun@tau=0.3", 1.0, cost=5.0)  # it differs in more than its epochs
    rows = rows_of("budget", retrain(), runs("ft", 6.0, cost=5.0), coun, shorter, another)
    assert list(rows["subject"]) == ["`coun@epochs=20` at 80 % of the cost of `ft`"]
    assert list(rows["verdict"]) == [NOT_REPRODUCED]


def test_claims_of_means_are_computed_from_the_printed_means_too():
    ours = pd.concat([retrain(), *(runs(name, 8.0) for name in ("ft", "neggrad-plus", "coun"))])
    slim = ours.assign(arch="resnet18-w16-s2")
    table = rows_of("", slim, printed=reported_means()).set_index("claim")
    # Table 3: FT's gap is 1.66 and CoUn's 0.40; NegGrad+'s is 3.26 by its means, though 0.90 is printed.
    assert table.loc["best", "paper"] == pytest.approx(1.66 - 0.40, abs=0.01)
    assert table.loc["term", "paper"] == pytest.approx(1.66 - 0.40, abs=0.01)
    assert table.loc["ft-worst", "paper"] == pytest.approx(1.66 - 3.26, abs=0.01)
    assert table.loc[["budget", "directions"], "paper"].isna().all()
    # The paper has no such network, or no numbers were given.
    assert rows_of("", ours.assign(arch="convnet"), printed=reported_means())["paper"].isna().all()
    assert rows_of("", ours)["paper"].isna().all()


def test_the_paper_prints_no_value_of_a_term_with_all_else_the_same():
    own, same = runs("neggrad-plus", 5.0, lr=0.1), runs("neggrad-plus@lr=0.02", 3.0, lr=0.02)
    with_term = runs("neggrad-plus+cl", 2.0, lr=0.02, tau=0.1)
    rows = rows_of("term", retrain(), own, same, with_term, printed=reported_means())
    assert [subject.endswith("all else the same") for subject in rows["subject"]] == [False, True]
    assert list(rows["method"]) == ["neggrad-plus"] * 2 and list(rows["also"]) == ["`lr` 0.02 for 0.1", ALL_ELSE_SAME]
    assert rows["paper"].notna().tolist() == [True, False]


def test_the_printed_gain_by_cl_is_that_of_the_same_method():
    scenarios, methods = ("random-10", "random-50"), ("ft", "not", "coun", "not+cl")
    frames = [retrain(scenario=scenario) for scenario in scenarios]
    frames += [runs(method, 5.0, scenario=scenario) for scenario in scenarios for method in methods]
    rows = rows_of("growth", *frames, printed=reported_means()).set_index("subject")
    # Figure 4 prints 43.3 % and 73.1 % for NoT.
    assert rows.loc["`not` with the term, compared with random 10 %", "paper"] == pytest.approx(73.1 - 43.3, abs=2.0)
