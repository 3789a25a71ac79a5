import numpy as np
import pandas as pd
import pytest

from benchmark import metrics
from benchmark.errors import BadInput
from benchmark.metrics import mia


def forgetting(*rows: tuple[str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["split", "index"])


# Retain 0 to 3 (one wrong), forget 4 and 5 (one wrong), test 0 to 3 (two wrong; the only sample of class 2 is wrong).
SAMPLES = pd.DataFrame(
    {
        "split": ["train"] * 6 + ["test"] * 4,
        "index": [0, 1, 2, 3, 4, 5, 0, 1, 2, 3],
        "label": [0, 1, 0, 1, 2, 2, 0, 1, 1, 2],
        "prediction": [0, 1, 1, 1, 2, 0, 0, 1, 0, 0],
        "loss": [0.0, 0.0, 3.0, 0.0, 0.0, 4.0, 3.0, 3.0, 3.0, 3.0],
    }
)
FORGET = forgetting(("train", 4), ("train", 5))
CLASS = forgetting(("train", 4), ("train", 5), ("test", 3))


def test_the_metrics_of_samples_equal_a_hand_computation():
    # Members' confidences are 1, 1, 0.05, 1, non-members' 0.05; of the forget samples', 1 is a member's, 0.02 not.
    assert metrics.measure(SAMPLES, FORGET) == {"ra": 75.0, "ua": 50.0, "ta": 50.0, "mia": 50.0}
    # Original has accuracies alone, on all training data.
    assert metrics.measure(SAMPLES, None) == {"ra": pytest.approx(200 / 3), "ta": 50.0}


def test_a_forgotten_class_is_left_out_of_the_test_samples_and_the_non_members(monkeypatch):
    assert metrics.membership(SAMPLES, CLASS).tolist() == ["retain"] * 4 + ["forget"] * 2 + ["test"] * 3 + ["left-out"]
    assert metrics.measure(SAMPLES, CLASS)["ta"] == pytest.approx(200 / 3)
    calls: list[tuple[np.ndarray, ...]] = []
    monkeypatch.setattr("benchmark.metrics.samples.mia_rate", lambda *arguments: calls.append(arguments) or 0.0)
    metrics.measure(SAMPLES.assign(loss=np.arange(10) / 10), CLASS)
    members, nonmembers, queries = (-np.log(confidence) for confidence in calls[0])
    assert members == pytest.approx([0.0, 0.1, 0.2], abs=1e-6)  # cut to the number of test samples
    assert nonmembers == pytest.approx([0.6, 0.7, 0.8], abs=1e-6)
    assert queries == pytest.approx([0.4, 0.5], abs=1e-6)


def test_metrics_do_not_depend_on_the_order_of_rows_and_random_members_depend_on_the_seed():
    rng = np.random.default_rng(0)
    samples = pd.DataFrame(rng.integers(0, 3, (400, 2)), columns=["label", "prediction"])
    samples["index"], samples["split"] = [*range(300), *range(100)], ["train"] * 300 + ["test"] * 100
    samples["loss"] = rng.exponential(size=400).astype(np.float32)
    forget = samples.loc[100:129, ["split", "index"]]
    shuffled = samples.sample(frac=1, random_state=1)
    assert metrics.measure(shuffled, forget[::-1]) == metrics.measure(samples, forget)
    membership = metrics.membership(shuffled, forget)
    assert set(membership.index[membership == "forget"]) == set(range(100, 130))
    rates = [metrics.measure(samples, forget, "random", np.random.default_rng(seed))["mia"] for seed in (1, 1, 2, 3, 4)]
    assert rates[0] == rates[1] and len(set(rates)) > 1


def test_bad_samples_are_refused_with_the_reason():
    for samples, forget, message in [
        (SAMPLES, forgetting(("train", 4), ("train", 6)), "index 6 of split 'train' is not among the samples' 6 train"),
        (SAMPLES, forgetting(("train", 4), ("test", 9)), "index 9 of split 'test'"),
        (SAMPLES, forgetting(("test", 3)), "0 of 10 rows are forget"),
        (SAMPLES, forgetting(*[("train", index) for index in range(6)]), "0 of 10 rows are retain"),
        (SAMPLES, forgetting(("train", 4), *[("test", index) for index in range(4)]), "0 of 10 rows are test"),
        (SAMPLES.head(6), None, "0 of 6 rows are test"),
        (SAMPLES, forgetting(("train", 4), ("train", 4)), "forget: train sample 4 is listed twice"),
        (pd.concat([SAMPLES, SAMPLES.tail(1)]), FORGET, "samples: test sample 3 is listed twice"),
        (SAMPLES.replace({"split": {"test": "tset"}}), FORGET, "unknown split 'tset'; did you mean 'test'"),
        (SAMPLES.drop(columns="loss"), FORGET, "column 'loss' is missing"),
        (SAMPLES.drop(columns="index"), FORGET, "column 'index' is missing"),
        (SAMPLES.assign(loss=np.nan), FORGET, "nan is not a cross-entropy"),
    ]:
        with pytest.raises(BadInput, match=message):
            metrics.measure(samples, forget)


def test_a_bad_choice_of_members_is_refused():
    with pytest.raises(BadInput, match="unknown choice of members 'frist'; did you mean 'first'"):
        metrics.measure(SAMPLES, FORGET, "frist")
    with pytest.raises(BadInput, match="'random' with rng None"):
        metrics.measure(SAMPLES, FORGET, "random")
    assert mia.MEMBERS == ("first", "random")
