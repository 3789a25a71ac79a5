"""The ranges in which settings are searched, and those that are refused."""

import numpy as np
import optuna
import pytest

from benchmark.errors import BadInput
from benchmark.methods.contrastive import with_contrastive_term
from benchmark.registry import METHODS
from benchmark.tune import search
from benchmark.tune.journal import Journal
from benchmark.tune.ranges import Range, ranges
from tests.tune.conftest import TUNE


def test_ranges_contain_those_of_the_paper_and_values_stay_inside():
    searched = 0
    for name in METHODS:
        kind = METHODS.get(name)
        for variant in (kind, with_contrastive_term(kind)) if kind.contrastive else (kind,):
            for key, range_ in ranges(variant.Settings()).items():
                fields = variant.Settings.model_fields.items()
                field = next(field for attribute, field in fields if key in (attribute, field.alias))
                low, high = field.json_schema_extra["paper_range"]
                assert (range_.low <= low or low == 0 < range_.low) and high <= range_.high, (name, key)
                for value in (range_.low, range_.high):
                    assert range_.inside(value) == value and range_.edge(value)
                    variant.Settings.model_validate({key: value})
                searched += 1
    assert searched > 20


def test_values_are_rounded_and_stay_inside():
    rounded = Range(1, 10, "linear", True).inside(3.4)
    assert rounded == 3 and isinstance(rounded, int)
    assert Range(0.01, 0.1, "log", False).inside(0.0123456) == 0.0123
    assert Range(0.01, 0.1, "log", False).inside(5.0) == 0.1
    beta = Range(0.9, 0.9999, "log-complement", False)
    assert (beta.inside(0.98765432), beta.inside(0.999876543), beta.inside(1)) == (0.9877, 0.999877, 0.9999)


@pytest.mark.parametrize("scale", ["linear", "log", "log-complement"])
def test_suggestions_fill_the_range_on_its_scale_and_an_enqueued_value_comes_back(scale):
    searched = Range(0.9, 0.999, scale, False)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    values = np.array([searched.suggested(study.ask(), "x") for _ in range(300)])
    assert searched.low <= values.min() < 0.91 and 0.998 < values.max() <= searched.high
    assert {value: searched.edge(value) for value in (0.9, 0.95, 0.999)} == {0.9: "low", 0.95: "", 0.999: "high"}
    # Half of the values lie on either side of the scale's middle.
    assert np.mean(values > (0.99 if scale == "log-complement" else 0.949)) == pytest.approx(0.5, abs=0.08)
    study.enqueue_trial({"x": searched.as_parameter(0.95)})
    assert searched.suggested(study.ask(), "x") == 0.95


def test_a_method_has_ranges_that_a_study_can_replace(project):
    assert set(ranges(METHODS.get("ft").Settings())) == {"lr"}
    assert set(ranges(METHODS.get("ssd").Settings())) == {"alpha", "lambda"}  # nothing is trained
    assert set(ranges(METHODS.get("scrub").Settings())) == {"lr", "msteps", "gamma", "alpha"}
    with_term = with_contrastive_term(METHODS.get("neggrad-plus")).Settings()
    assert set(ranges(with_term)) == {"lr", "beta", "lambda", "tau"}
    study = project.study(TUNE, {"tune": {"ranges": {"*": {"epochs": [1, 4]}, "coun": {"lr": [0.2, 0.9]}}}})
    searched = {pair.method: pair.ranges for pair in Journal(study).pairs}
    assert searched["ft"].keys() == {"lr", "epochs"} and searched["ft"]["epochs"] == Range(1, 4, "linear", True)
    assert searched["coun"]["lr"] == Range(0.2, 0.9, "log", False)
    assert searched["coun"].keys() == {"lr", "epochs", "lambda", "tau"}


def test_ranges_that_cannot_be_searched_are_refused(project):
    for searched, message in (
        ({"coun": {"lamda": [0, 1]}}, r"tune\.ranges\.coun: unknown setting 'lamda'; did you mean 'lambda'"),
        ({"conu": {"lr": [0, 1]}}, "unknown method 'conu'"),
        ({"ft": {"lr": [0.2, 0.1]}}, r"ft\.lr: 0\.2 to 0\.1: accepted is a lower and then a higher number"),
        ({"ft": {"lr": [0, 1]}}, r"tune\.ranges\.ft\.lr: 0 to 1: its orders of magnitude are searched"),
        ({"ft": {"schedule": [0, 1]}}, r"tune\.ranges\.ft: unknown setting 'schedule'"),
        ({"*": {"momentum": [0.5, 1.5]}}, r"tune\.ranges\.\*: momentum: 1\.5: accepted is a number below 1$"),
    ):
        with pytest.raises(BadInput, match=message):
            project.study(TUNE, {"tune": {"ranges": searched}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hyperparameters": {"*": {"unlearning": {"final_lr": 0.01}}}}, "'ft@lr=0.001': final_lr is 0.01, lr 0.001"),
        ({"tune": {"ranges": {"coun": {"lr": [1e-6, 0.1]}}}}, r"tune\.ranges\.coun: the search in digits/"),
        ({"tune": {"ranges": {"ft": {"warmup": [0, 2], "epochs": [1, 4]}}}}, "warmup: 2: accepted is at most its 1 ep"),
    ],
)
def test_ranges_whose_ends_do_not_go_together_are_refused_before_anything_is_trained(
    project, monkeypatch, change, message
):
    monkeypatch.setattr(search, "_references", lambda *_: pytest.fail("training began"))
    project.study(TUNE, change)
    with pytest.raises(BadInput, match=message):
        search.tune("tiny", 1)
