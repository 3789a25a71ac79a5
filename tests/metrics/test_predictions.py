from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import BadInput
from benchmark.metrics.confusion import average_difference, prediction_shares
from benchmark.metrics.reported import reported_predictions

REPORTED = Path(__file__).parents[2] / "paper_tables" / "reported"
SAMPLES = pd.DataFrame(
    {
        "index": [0, 1, 2, 3, 4, 5, 6, 0],
        "split": ["train"] * 7 + ["test"],
        "label": [1, 1, 1, 1, 0, 1, 0, 1],
        "prediction": [1, 0, 2, 2, 0, 1, 1, 0],
    }
)
FORGET = pd.DataFrame({"split": ["train"] * 5, "index": [0, 1, 2, 3, 4]})


def test_shares_count_forget_samples_of_the_class_only():
    # Of class 1, samples 0 to 3 are forgotten: one stays 1, one becomes 0, two become 2. Sample 5 is retained.
    assert prediction_shares(SAMPLES, FORGET, true_class=1, classes=4).tolist() == [25, 25, 50, 0]
    assert prediction_shares(SAMPLES, FORGET, true_class=0, classes=4).tolist() == [100, 0, 0, 0]


def test_difference_is_averaged_over_the_shown_classes_only():
    shares, reference = np.array([10.0, 20.0, 30.0, 40.0]), np.array([12.0, 16.0, 30.0, 42.0])
    assert average_difference(shares, reference, [0, 1]) == 3.0
    assert average_difference(shares, reference, [3, 2]) == 1.0


def test_printed_shares_put_coun_closest_to_retrain_in_table_5():
    printed = reported_predictions(REPORTED)
    shares = printed[printed["scenario"] == "class-truck"].pivot(
        index="method", columns="predicted_class", values="percent"
    )
    reference = shares.loc["retrain"].to_numpy()
    away = {name: average_difference(row.to_numpy(), reference, range(4)) for name, row in shares.iterrows()}
    # CoUn: |69.6 - 69.32|, |13.96 - 13.47|, |13.13 - 12.6| and 0 for truck: 1.3 / 4.
    assert away["coun"] == pytest.approx(0.325)
    assert min((value, name) for name, value in away.items() if name != "retrain")[1] == "coun"


def test_bad_input_is_refused_by_name():
    with pytest.raises(BadInput, match="class 2: no forget sample has this label"):
        prediction_shares(SAMPLES, FORGET, true_class=2, classes=4)
    with pytest.raises(BadInput, match="prediction: 2 is no class: accepted are 0 to 1"):
        prediction_shares(SAMPLES, FORGET, true_class=1, classes=2)
    for shown in ([], [0, 0], [-1], [2]):
        with pytest.raises(BadInput, match="shown classes"):
            average_difference(np.zeros(2), np.zeros(2), shown)
    with pytest.raises(BadInput, match="shares of 2 classes against 3"):
        average_difference(np.zeros(2), np.zeros(3), [0])
