"""All audits of simulated methods: one that forgets, one that half forgets, one that shifts, and Original."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.metrics.samplewise import battery, built_in_audits, competition, nulls, standards
from benchmark.metrics.samplewise.agreement import known_beyond_test
from benchmark.metrics.samplewise.battery import Battery, MethodOutputs, by_trial, summary
from benchmark.metrics.samplewise.built_in_audits import AUDITS, BY_SAMPLE, Forgetting
from benchmark.metrics.samplewise.standards import kendall, rank_correlations, ranking_stability, told_apart
from benchmark.names import ORIGINAL, RETRAIN

TRIALS, SAMPLES = 6, 2000
CELL_NAMES = {"dataset": "d", "arch": "a", "scenario": "random-50"}
# How far each method's margins lie above Retrain's: on forgotten samples, and on all.
METHODS = {RETRAIN: (0.0, 0.0), ORIGINAL: (3.0, 0.0), "perfect": (0.0, 0.0), "half": (1.5, 0.0), "shift": (0.0, 0.8)}


def simulated(trials=TRIALS, samples=SAMPLES, held_out=0.2) -> tuple[dict[str, MethodOutputs], Forgetting]:
    rng = np.random.default_rng(0)
    position = rng.random((trials, samples))
    forgetting = Forgetting(np.arange(trials), position < 0.5, position >= 1 - held_out)
    mean, tests = rng.normal(0, 2, samples), rng.normal(0, 2, samples)
    methods = {}
    for method, (memory, shift) in METHODS.items():
        learnt = np.where(forgetting.held_out, 0, np.where(forgetting.forgotten, memory, 3))
        margin = mean + rng.normal(size=(trials, samples)) + learnt + shift
        test = tests + rng.normal(size=(trials, samples)) + shift
        correct = margin > 0
        ra, forget = (
            100 * np.array([right[mask].mean() for right, mask in zip(correct, masks, strict=True)])
            for masks in (~forgetting.unseen, forgetting.forgotten)
        )
        metrics = np.stack([ra, 100 - forget, 100 * (test > 0).mean(axis=1), 100 - forget], axis=1)
        methods[method] = MethodOutputs(
            np.arange(trials), margin, correct.astype(np.int16), test, test, metrics, known_beyond_test(metrics)
        )
    return methods, forgetting


@pytest.fixture(scope="module")
def trials() -> pd.DataFrame:
    return by_trial(*simulated())


@pytest.fixture(scope="module")
def table(trials: pd.DataFrame) -> pd.DataFrame:
    return summary(trials.assign(dataset="d"), ["dataset"])


def test_the_summary_has_a_row_per_method_and_audit_with_its_null(table: pd.DataFrame):
    numbers = ["value", "low", "high", "null", "null_low", "null_high", "trials", "enough"]
    assert list(table.columns) == ["dataset", "method", "audit", *numbers]
    assert list(table["method"].unique()) == [method for method in METHODS if method != RETRAIN]
    assert list(table["audit"].unique()) == list(AUDITS) and len(table) == 4 * len(AUDITS)
    complete = table.dropna()
    assert complete["value"].between(complete["low"], complete["high"]).all()
    assert (table["trials"] == TRIALS).all()


def test_an_audit_that_needs_more_trials_has_no_value_and_says_how_many(table: pd.DataFrame):
    few = table[table["enough"] > table["trials"]]
    strict = {"u-lira-auc", "u-lira-accuracy", "u-lira-tpr"}
    assert set(few["audit"]) == {"klom", "klom-95", "forgetting-quality", *strict}
    assert few[["value", "low", "high", "null"]].isna().all(axis=None)
    enough = few.drop_duplicates("audit").set_index("audit")["enough"]
    assert enough["klom"] == pytest.approx(400, rel=0.03)
    assert enough["forgetting-quality"] == pytest.approx(2048, rel=0.03)
    known = table.loc[table["enough"] <= table["trials"]].set_index("audit")[["value", "low", "null"]]
    assert known.drop(list(BY_SAMPLE)).notna().all(axis=None)


def test_a_perfect_unlearner_scores_as_its_null_and_others_higher(table: pd.DataFrame):
    rows = table.set_index(["method", "audit"])
    for audit in AUDITS:
        row = rows.loc[("perfect", audit)]
        if row["enough"] <= TRIALS and audit not in BY_SAMPLE:
            spread = row["high"] - row["low"] + row["null_high"] - row["null_low"]
            assert abs(row["value"] - row["null"]) < spread, audit
    attacks = [
        "efficacy-auc-test",
        "efficacy-auc",
        "efficacy-auc-standardised",
        "efficacy-auc-beyond",
        "efficacy-auc-beyond-standardised",
        "unseen-auc",
        "unseen-auc-calibrated",
        "rmia-auc",
    ]
    remembers = [0, *[1] * 7]
    for method, expected in (("half", remembers), (ORIGINAL, remembers), ("shift", [1, 1, *[0] * 6])):
        detected = [int(rows.loc[(method, audit), "low"] > rows.loc[(method, audit), "null_high"]) for audit in attacks]
        assert detected == expected, method


def test_an_attack_on_test_samples_shows_what_is_not_about_the_forgotten_ones(table: pd.DataFrame):
    values = table.set_index(["audit", "method"])["value"]
    for form in ("", "-standardised"):
        beyond, attack = values[f"efficacy-auc-beyond{form}"], values[f"efficacy-auc{form}"]
        assert abs(beyond["shift"]) < 0.02 and beyond["half"] > 0.15 and beyond[ORIGINAL] > 0.3
        assert attack["half"] - beyond["half"] == pytest.approx(0.5, abs=0.02)
    test = values["efficacy-auc-test"]
    pd.testing.assert_series_equal(test + values["efficacy-auc-beyond"], values["efficacy-auc"], check_names=False)


def test_test_samples_are_attacked_as_if_forgotten_in_the_same_trials():
    forgotten = np.zeros((4, 5), bool)
    forgotten[[0, 1], 0] = forgotten[[1, 2, 3], 3] = forgotten[2, 4] = True  # the last in one trial alone
    like = Forgetting(np.arange(4), forgotten, ~forgotten).like(300)
    patterns, counts = np.unique(like, axis=1, return_counts=True)
    assert patterns.T.tolist() == [[False, True, True, True], [True, True, False, False]]
    assert counts.min() > 100
    assert not Forgetting(np.arange(4), forgotten[:, 4:], forgotten[:, 4:]).like(3).any()


def test_what_is_known_beyond_test_samples_is_memory_and_no_shift(table: pd.DataFrame):
    values = table[table["audit"] == "kept"].set_index("method")
    assert values.loc["half", "low"] > 10 and values.loc[ORIGINAL, "low"] > values.loc["half", "high"]
    for method in ("perfect", "shift"):  # a shift moves these test samples a little more than the forgotten ones
        assert abs(values.loc[method, "value"]) < 1.5, method


def test_the_null_of_a_difference_varies_as_independent_models_do():
    rng = np.random.default_rng(0)
    differences = rng.normal(size=(4000, 2, 6))
    null = np.array([nulls.of_difference(retrain).std(ddof=1) / np.sqrt(6) for retrain in differences[:, 0]])
    spread = (differences[:, 1] - differences[:, 0]).mean(axis=1).std()
    assert np.sqrt((null**2).mean()) == pytest.approx(spread, rel=0.05)


def test_held_out_samples_allow_the_strict_attack():
    rows = summary(by_trial(*simulated(trials=16, samples=1000, held_out=0.3)), []).set_index(["method", "audit"])
    assert rows.loc[("perfect", "u-lira-auc"), "value"] == pytest.approx(0.5, abs=0.02)
    assert rows.loc[("half", "u-lira-auc"), "value"] > 0.7
    assert rows.loc[("half", "u-lira-auc"), "null"] == pytest.approx(0.5, abs=0.02)


@pytest.fixture
def few_trials_are_enough(monkeypatch):
    """Let audits that need hundreds of trials read fewer."""
    for name in ("klom", "klom-95", "forgetting-quality"):
        monkeypatch.setitem(AUDITS, name, built_in_audits.Audit(None, built_in_audits.for_pairs))


def test_klom_and_forgetting_quality_compare_halves_of_the_trials(few_trials_are_enough):
    rows = summary(by_trial(*simulated(trials=10, samples=150)), []).set_index(["method", "audit"])
    for audit, sign in (("klom", 1), ("forgetting-quality", -1)):
        perfect, original = rows.loc[("perfect", audit)], rows.loc[(ORIGINAL, audit)]
        assert perfect["value"] == pytest.approx(perfect["null"], rel=0.15)
        assert sign * (original["value"] - original["null"]) > 0 and original["null"] == perfect["null"]


def test_klom_is_summarised_by_its_mean_and_its_95th_percentile(few_trials_are_enough, monkeypatch):
    monkeypatch.setattr(battery, "klom", lambda *_: np.array([np.nan, *np.arange(101.0) ** 2]))
    rows = summary(by_trial(*simulated(trials=4, samples=50)), []).set_index(["method", "audit"])["value"]
    assert rows["perfect", "klom"] == pytest.approx(100 * 201 / 6) and rows["perfect", "klom-95"] == 95**2


def test_forgetting_quality_counts_the_models_of_the_smaller_half(few_trials_are_enough, monkeypatch):
    counts = []
    monkeypatch.setattr(competition, "quality", lambda _, models: counts.append(models) or 0.0)
    methods, forgetting = simulated(trials=6, samples=60)
    by_trial(methods, forgetting)
    first, second = (forgetting.forgotten[list(half)].sum(axis=0) for half in list(nulls.halves(6))[-1])
    smaller = np.minimum(first, second)
    assert counts[-1].tolist() == smaller[smaller > 0].tolist()


def test_retrain_alone_has_no_rows():
    methods, forgetting = simulated(samples=50)
    rows = by_trial({RETRAIN: methods[RETRAIN]}, forgetting)
    assert rows.empty and "null" in rows and summary(rows, []).empty


def test_a_method_with_fewer_trials_is_compared_with_the_same_trials_of_retrain():
    methods, forgetting = simulated(samples=400)
    mixed = {**methods, "half": methods["half"].of(np.array([5, 1, 2]))}
    rows = summary(by_trial(mixed, forgetting), []).set_index(["method", "audit"])
    three = {name: outputs.of(np.array([1, 2, 5])) for name, outputs in methods.items()}
    expected = summary(by_trial(three, forgetting), []).set_index(["method", "audit"])
    pd.testing.assert_frame_equal(rows.loc[["half"]], expected.loc[["half"]])
    assert (rows.loc["half", "trials"] == 3).all() and (rows.loc["perfect", "trials"] == TRIALS).all()


@pytest.mark.parametrize(("share", "trials"), [(1.0, 3), (0.5, 3), (0.1, 3), (0.02, 15)])
def test_an_attack_needs_enough_trials_to_judge_a_hundred_samples_in_each(share: float, trials: int):
    rng = np.random.default_rng(0)
    order = rng.permuted(np.tile(np.arange(20_000), (40, 1)), axis=1) if share < 1 else np.zeros((40, 20_000))
    forgotten = order < share * 20_000
    forgotten[:, 15_000:] &= share < 1
    forgetting = Forgetting(np.arange(40), forgotten, np.zeros_like(forgotten))
    assert built_in_audits.for_attack(forgetting) == trials
    judged = [(row & (forgotten[:trials].sum(axis=0) > 1)).sum() for row in forgotten[:trials]]
    assert np.mean(judged) > 95 and (trials == 3 or np.mean(judged) < 110)
    assert built_in_audits.for_strict(forgetting) == np.inf


def test_trials_that_forget_nothing_in_common_by_chance_need_a_finite_number_more():
    forgotten = np.arange(1000) // 10 == np.arange(2)[:, None]  # ten samples each
    forgetting = Forgetting(np.arange(2), forgotten, np.zeros_like(forgotten))
    assert built_in_audits.for_attack(forgetting) == 70  # half of them are in one of 69 other trials: 1 - 0.99^69
    assert built_in_audits.for_models(100)(forgetting) == 20_000
    assert built_in_audits.for_strict(forgetting) == np.inf
    held_out = np.tile(np.arange(1000) >= 800, (2, 1))
    assert built_in_audits.for_strict(Forgetting(np.arange(2), forgotten, held_out)) == 200


def test_audits_are_judged_by_how_well_they_rank_methods(trials: pd.DataFrame):
    rows = standards.standards(trials.assign(**CELL_NAMES)).set_index("audit")
    assert set(rows.index) == {name for name in AUDITS if not name.startswith(("klom", "forgetting", "u-lira"))}
    assert (rows["methods"] == 3).all() and (rows["trials"] == TRIALS).all()
    assert rows.loc["efficacy-auc", ["faithfulness", "apart", "stability", "best_stays"]].tolist() == [1, 100, 1, 100]
    assert rows.loc["efficacy-auc", "null_distance"] < 0.05
    assert rows.loc["unseen-auc", "apart"] == pytest.approx(200 / 3)  # it cannot tell perfect from shift
    tau = rank_correlations(trials.assign(**CELL_NAMES)).set_index(["audit", "other"])["tau"]
    assert len(tau) == len(rows) * (len(rows) - 1) / 2
    assert tau["efficacy-auc", "efficacy-accuracy"] == 1


def test_a_deterministic_method_is_told_from_retrain_and_hides_no_other_method():
    methods, forgetting = simulated(samples=400)
    repeated = np.repeat(methods["perfect"].margin[:1], TRIALS, axis=0)
    methods = methods | {"fixed": replace(methods["perfect"], margin=repeated)}
    trials = by_trial(methods, forgetting)
    rows = summary(trials, []).set_index(["method", "audit"])
    assert rows.loc[("fixed", "efficacy-auc"), "value"] > 0.99
    judged = standards.standards(trials.assign(**CELL_NAMES)).set_index("audit")
    assert judged.loc["efficacy-auc", "methods"] == len(methods) - 2  # without Original and Retrain
    fewer = trials[(trials["method"] != "fixed") | (trials["trial"] < 2)]
    values = fewer["value"].where((fewer["method"] != "fixed") | (fewer["audit"] != "efficacy-auc"))
    judged = standards.standards(fewer.assign(**CELL_NAMES, value=values)).set_index("audit")
    assert judged.loc["efficacy-auc", "trials"] == TRIALS and judged.loc["unseen-auc", "trials"] == 2


def test_a_method_with_fewer_trials_does_not_weight_the_null_of_a_metric_without_an_ideal():
    rows = [
        {**CELL_NAMES, "method": method, "audit": "mine", "trial": trial, "value": value, "null": null, "pair": null}
        for method, value, trials in (("original", 9.0, 1), ("ft", 2.0, 3), ("coun", 3.0, 3))
        for trial, null in enumerate([1.0, 0.0, 0.0][:trials])
    ]
    (row,) = standards.standards(pd.DataFrame(rows)).to_dict("records")
    # A perfect unlearner reads 1/3 on average: its trials lie 2/3, 1/3 and 1/3 from that, and the interval has its end
    # one half-width away.
    half_width = stats.t.ppf(0.975, 2) * np.std([1, 0, 0], ddof=1) / np.sqrt(3)
    assert row["null_distance"] == pytest.approx(half_width)


def test_faithfulness_compares_original_with_single_pairs_of_retrains_as_worked_out_on_paper():
    names = CELL_NAMES | {"audit": "tug-of-war", "null": 2.0}
    readings = {ORIGINAL: [3.0, 4.0, 7.0], "ft": [2.0, 2.0, 2.0]}
    rows = [
        names | {"method": method, "trial": trial, "value": value, "pair": pair}
        for method, values in readings.items()
        for trial, (value, pair) in enumerate(zip(values, [0.5, 2.0, 3.5], strict=True))
    ]
    # A perfect unlearner reads 2. Originals lie 1, 2 and 5 from it, single pairs 1.5, 0 and 1.5: 7 of 9 are closer.
    (row,) = standards.standards(pd.DataFrame(rows)).to_dict("records")
    assert row["faithfulness"] == pytest.approx(7 / 9)
    (row,) = standards.standards(pd.DataFrame(rows).drop(columns="pair")).to_dict("records")  # an older file
    assert np.isnan(row["faithfulness"]) and row["methods"] == 1


def test_pairs_are_of_each_trials_retrain_and_another():
    methods, forgetting = simulated(trials=3, samples=400)
    alike = replace(forgetting, forgotten=forgetting.forgotten[[0] * 3], held_out=forgetting.held_out[[0] * 3])
    rows, of_alike = by_trial(methods, forgetting), by_trial(methods, alike)
    # Retrains of different images disagree more often than a perfect unlearner and its Retrain: they are no null.
    assert rows.loc[rows["audit"].isin(BY_SAMPLE), ["null", "pair"]].isna().all(axis=None)
    assert standards.standards(rows.assign(**CELL_NAMES)).set_index("audit").loc["disagreement", "methods"] == 3
    pairs = of_alike[of_alike["method"] == ORIGINAL].pivot(index="trial", columns="audit", values="pair")
    retrain = methods[RETRAIN]
    for trial in range(3):
        differ = retrain.prediction[trial] != retrain.prediction[trial - 1]
        assert pairs.loc[trial, "disagreement"] == pytest.approx(100 * differ[alike.forgotten[0]].mean())
        gaps = np.abs(retrain.metrics[trial] - retrain.metrics[trial - 1])
        assert pairs.loc[trial, "average-gap"] == pytest.approx(gaps.mean())
    alone = by_trial(*simulated(trials=1, samples=400))
    assert alone.set_index("audit").loc["disagreement", "pair"].isna().all()


def test_rankings_are_compared_as_worked_out_on_paper():
    assert kendall([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)
    assert kendall([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / np.sqrt(2 * 3))
    assert kendall([1, 2, 3], [[1, 2, 3], [3, 2, 1]]).tolist() == [1, -1]
    assert np.isnan(kendall([1, 1], [1, 2]))
    values = np.array([[1.0, 1.1, 0.9], [2.0, 2.2, 2.1], [2.1, 2.0, 2.1]])
    assert told_apart(values) == pytest.approx(200 / 3)
    # By paired t tests p is 0.024, 0.45 and 0.77: with Holm's correction the smallest is three times as large.
    alike = np.array([[0.0, 0.0, 0.0, 0.0], [1.2, 1.3, 0.4, 0.7], [-0.1, -0.9, 2.0, -0.2]])
    assert told_apart(alike) == 0 and told_apart(alike[:2]) == 100
    # A difference that is the same in every trial, or but for rounding, does not show how much it may vary.
    assert told_apart(np.array([[0.3] * 3, [0.1 + 0.2] * 3])) == 0 and told_apart(np.array([[1.0, 2], [2.0, 3]])) == 0
    tau, stays = ranking_stability(values, 0.0)
    assert stays == 100 and 1 / 3 < tau < 1
    # Two methods, two trials: in one of four resamples only the trial with the other order counts.
    assert ranking_stability(np.array([[0.0, 2.0], [3.0, 1.0]]), 0.0) == (0.5, 75.0)
    # A resample that ties all methods has no rank correlation; the others have one.
    tau, stays = ranking_stability(np.array([[1.0, 2.0, 2.0], [1.0, 3.0, 3.0]]), 0.0)
    assert tau == 1 and stays == 100
    assert np.isnan(ranking_stability(values[:1], 0.0)).all() and np.isnan(told_apart(values[:, :1]))


def test_what_a_retrain_keeps_is_compared_with_the_next_trials_retrain():
    methods, forgetting = simulated(trials=3, samples=400)
    known = methods[RETRAIN].known
    assert Battery(methods[RETRAIN], forgetting).pair["kept"] == pytest.approx(np.roll(known, 1) - known)
