"""The area and the steps of a relearning curve."""

import numpy as np
import pytest

from benchmark.metrics.samplewise.relearning_curve import area, steps_until


def test_the_area_is_the_mean_accuracy_over_steps_of_any_spacing():
    assert area([0, 10, 20], [0, 100, 100]) == 75
    assert area([0, 10, 40], [0, 100, 100]) == 87.5
    assert area([0, 1], [30, 50]) == 40


def test_the_steps_to_an_accuracy_are_interpolated():
    step, accuracy = [0, 10, 20, 30], [0, 40, 30, 90]
    assert [steps_until(step, accuracy, goal) for goal in (0, -5, 20, 40)] == [0, 0, 5, 10]
    assert steps_until(step, accuracy, 45) == pytest.approx(22.5)
    assert steps_until(step, accuracy, 91) == np.inf and np.isnan(steps_until(step, accuracy, np.nan))
