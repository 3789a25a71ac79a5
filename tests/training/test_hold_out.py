"""Training images that a trial holds out: no run trains on them, and metrics can be measured on them."""

import pytest

from benchmark.errors import BadInput
from benchmark.metrics import measure, membership
from benchmark.results import records
from benchmark.study.prepare import split


def test_held_out_images_are_trained_on_by_no_run_and_measured_apart(project):
    study = project.study({"hold_out": 25, "resample": ["original", "split"]})
    held_out = []
    for method, scenario in (("original", ""), ("retrain", "random-10"), ("retrain", "class-8"), ("ft", "random-10")):
        name = project.name(method, scenario)
        if scenario:
            split(study, "digits", scenario, 0)
        end = project.run(study, name)
        samples, context = end.samples, end.trainer.context
        forget = records.forget_rows(study, study.run(name)) if scenario else None
        memberships = membership(samples, forget).to_numpy()
        held = samples.loc[samples["split"] == "held-out", "index"].tolist()
        held_out.append(held)
        assert len(held) == 40 and not {*held} & {*context.retain.tolist(), *context.forget.tolist()}
        assert (memberships == "retain").sum() == len(context.retain)
        if scenario:
            measured = samples[memberships == "held-out"]
            unseen = measure(samples, forget, unseen="held-out")
            assert unseen["ta"] == 100 * (measured["label"] == measured["prediction"]).mean()
            assert unseen["ra"] == end.history["ra"].iloc[-1] and unseen["ua"] == end.history["ua"].iloc[-1]
            assert 8 not in measured["label"].to_numpy() if scenario == "class-8" else len(measured) == 40
    assert all(held == held_out[0] for held in held_out)


def test_a_share_that_cannot_be_held_out_is_refused(empty):
    for change, message in [
        ({"hold_out": 90}, "hold_out: 90: digits/convnet/random-10 forgets 10 %, so that nothing is retained"),
        ({"hold_out": 10, "resample": ["split"]}, "Original would have seen"),
        ({"hold_out": 91}, "less than or equal to 90"),
    ]:
        with pytest.raises(BadInput, match=message):
            empty.study(change)
