"""Costs after each epoch in forward passes of one image, by the paper's counting and as executed."""

from itertools import accumulate

import numpy as np
import pytest

from benchmark.features.embed import MAKERS
from benchmark.features.trained_model import TrainedModel
from benchmark.methods.bad_teacher import BadTeacher
from benchmark.methods.base import Meter
from benchmark.workflow.cost import cost, derived_cost, run_cost

# Of 160 images 16 are forgotten, at each stage of two if there are stages. The paper's counting charges whole batches
# of 32: five of retain images, the last of which holds 16, and one of forget images.
SIZE = 32
# Three 3x3 convolutions to 32, 64 and 64 channels at 8x8, 4x4 and 4x4 pixels, and a head; 2 a multiply-accumulate.
FLOPS = 2 * (64 * 9 * 1 * 32 + 16 * 9 * 32 * 64 + 16 * 9 * 64 * 64 + 64 * 10)
SHOWN = {
    "maps": ("figures", {"kind": "maps"}),
    "distances": ("tables", {"kind": "distances", "classes": ["8", "1"]}),
    "views": ("tables", {"kind": "theory"}),
    "relearning": ("tables", {"kind": "relearning"}),
}
COSTS = {
    **dict.fromkeys(("retrain", "ft", "l1-sparse", "not", "coun@lambda=0"), ([3 * 5] * 2, [3 * 144] * 2)),
    **dict.fromkeys(("coun", "not+cl", "l1-sparse+cl"), ([4 * 5] * 2, [6 * 144] * 2)),
    # The one forget batch again at every step.
    "neggrad-plus": ([4 * 5] * 2, [3 * (144 + 5 * 16)] * 2),
    "neggrad-plus+cl": ([5 * 5] * 2, [3 * (2 * 144 + 5 * 16)] * 2),
    "original": ([3 * 5] * 2, [3 * 160] * 2),
    # The mask is paid before the first epoch, for the images in it; then a forget pass and a retain pass in each.
    "salun": ([3 * 6.5, 3 * 6], [3 * (16 + 160), 3 * 160]),
    # A forward pass of the teacher as well, and a forget batch in the first epoch.
    "scrub@msteps=1": ([4 * 6, 4 * 5], [4 * 160, 4 * 144]),
    # Two steps on 16 forget and 16 retain images.
    "cu@omega=2": ([2 * 6] * 2, [2 * 3 * 32] * 2),
    # 160 images in five batches and 16 in one, charged a forward pass.
    "ssd": ([5 + 1, 0], [3 * 176, 0]),
}
STAGES = {
    "ft": ([3 * 5, 3 * 5, 3 * 4, 3 * 4], [3 * 144, 3 * 144, 3 * 128, 3 * 128]),
    "salun": ([3 * 6.5, 3 * 6, 3 * 5.5, 3 * 5], [3 * 176, 3 * 160, 3 * 160, 3 * 144]),
}
CASES = [(method, "random-10", *costs) for method, costs in COSTS.items()]
CASES += [(method, "sequential-2x10", *costs) for method, costs in STAGES.items()]


@pytest.mark.parametrize(("method", "scenario", "batches", "executed"), CASES)
def test_the_cost_after_each_epoch_is_the_one_counted_by_hand(shared, method, scenario, batches, executed):
    end = shared.run(method, scenario, epochs=len(batches))
    assert end.record["forward_flops"] == FLOPS
    for column, units in (("pflops", [SIZE * count for count in batches]), ("pflops_executed", executed)):
        totals = [total * FLOPS / 1e15 for total in accumulate(units)]
        expected = [totals[epoch - 1] for epoch in end.history["epoch"]]
        assert end.history[column].tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scenario", ["random-10", "sequential-2x10"])
@pytest.mark.parametrize("method", ["ft", "ssd"])
def test_the_evaluations_that_are_priced_are_the_rows_of_the_history(project, shared, method, scenario):
    settings = {"epochs": 6, "evaluate_every": 2}
    end, study = shared.run(method, scenario, **settings), project.unlearning(**settings)
    _, executed = run_cost(study, study.run(project.name(method, scenario)))
    evaluations = (executed - end.history["pflops_executed"].iloc[-1]) * 1e15 / FLOPS / len(end.samples)
    assert evaluations == pytest.approx(len(end.history))


@pytest.mark.parametrize("kind", MAKERS)
def test_derived_files_are_priced_at_what_passes_through_the_model(project, monkeypatch, kind):
    relearning = {"steps": 7, "every": 3, "batch_size": 20}  # no whole number of batches makes a pass
    section, output = SHOWN[kind]
    output = {"cells": ["digits/convnet/class-8"], "methods": ["original"]} | output
    study = project.study({"relearning": relearning, "map_samples": 50, "view_pairs": 2, section: {"shown": output}})
    file = study.derive(kind, study.run(project.original), "class-8")
    trained = TrainedModel(study, file)
    passed = []
    trained.model.register_forward_hook(
        lambda model, inputs, _: passed.append(len(inputs[0]) * (1 + 2 * model.training))
    )
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.features.embed.maps", lambda features, **_: None)  # made from features, not images
        MAKERS[kind](trained)
    assert derived_cost(study, file) == pytest.approx(sum(passed) * FLOPS / 1e15, rel=2 / 160)  # classes differ in size
    priced = cost(study, 1.0).set_index("output")["pflops_executed"]
    runs = [run_cost(study, run)[1] for run in study.runs(["shown"])]
    files = [derived_cost(study, derived) for derived in study.derived_of("shown")]
    assert file in study.derived_of("shown") and priced["shown"] == pytest.approx(sum(runs) + sum(files))
    assert priced["all"] > priced["shown"]


def test_images_that_are_held_out_are_not_paid_for_in_training(project):
    studies = (project.study({"resample": ["original", "split"], "hold_out": percent}) for percent in (0, 25))
    executed, fewer = (run_cost(study, study.run(project.name("ft")))[1] for study in studies)
    # Two epochs of forty images fewer, forwards and backwards; evaluations are of all images.
    assert executed - fewer == pytest.approx(2 * 3 * 40 * FLOPS / 1e15)


def test_the_cost_of_a_plugin_that_counts_with_numpy_fits_in_a_checkpoint():
    meter = Meter()
    meter.count(np.int64(3), np.float64(1.5), np.float64(2))
    assert (meter.paper, meter.executed) == (4.5, 6.0) and {type(meter.paper), type(meter.executed)} == {float}


def test_hours_are_those_of_a_card_at_its_speed(project):
    table = cost(project.study(), 2.5)
    assert (table["hours"] * 3600 * 2.5e12).tolist() == pytest.approx((table["pflops_executed"] * 1e15).tolist())


def test_the_counting_gives_the_papers_printed_costs_of_resnet18_on_cifar10():
    for passes, units, epochs, printed, rounding in [
        ([45_000], 3, 182, 27.37, 0.05),  # Retrain, FT and CoUn of Table 2
        ([45_000], 3, 42, 6.32, 0.01),
        ([45_000], 4, 50, 10.03, 0.02),
        ([25_000], 3, 182, 15.24, 0.03),  # Retrain and a row of 50 epochs of Table 3
        ([25_000], 3, 50, 4.19, 0.008),
        ([50_000, 5_000], 1, 1, 0.06, 0.005),  # SSD of Table 7: over all images, and over the tenth that is forgotten
    ]:
        meter = Meter()
        for images in passes:
            for first in range(0, images, 256):
                meter.count(min(256, images - first), units, units, 256)
        assert meter.executed == units * sum(passes)
        assert meter.paper * epochs * 1112.6e6 / 1e15 == pytest.approx(printed, abs=rounding)


def test_an_image_of_badt_costs_two_teachers_forward_passes_and_its_own_training():
    # Of the two teachers' forward passes, one is executed: that of the image's own teacher.
    assert BadTeacher.paper_units == {"both": 3 + 2} and BadTeacher.executed_units == {"both": 3 + 1}
