"""Forgetting in stages: stage k is an unlearning run of its own from the weights of stage k - 1."""

from __future__ import annotations

import pytest

from benchmark.data.splits import forgotten
from benchmark.errors import BadInput
from benchmark.methods import METHODS
from benchmark.names import CL, Cell, MethodName
from benchmark.results import measured
from benchmark.results import records as results

SCENARIO = "sequential-2x10"
UNLEARNING = [name for name in METHODS if METHODS.get(name).starts_from_original]
WITH_CL = [name + CL for name in UNLEARNING if METHODS.get(name).contrastive and name != "ft"]


@pytest.fixture
def study(project):
    """Four epochs, two a stage."""
    return project.unlearning(epochs=4)


@pytest.fixture
def stages(project, study):
    """The training samples that are gone by the end of each stage."""
    frame = results.forget(study, study.run(project.name("ft", SCENARIO)))
    return [set(forgotten(frame, stage=stage).tolist()) for stage in (1, 2)]


@pytest.mark.parametrize("method", UNLEARNING + WITH_CL)
def test_stopped_in_any_stage_and_resumed_equals_undisturbed(project, study, method):
    import torch

    name = project.name(method, SCENARIO)
    whole = project.run(study, name)
    half = whole.pauses // 2
    stops = tuple(sorted({2, half, half + 2, whole.pauses}))  # ssd has four pauses
    parts = project.run(study, name, stops)
    assert (parts.starts, parts.pauses) == (1 + len(stops), whole.pauses)
    assert all(torch.equal(value, whole.weights[key]) for key, value in parts.weights.items())
    assert parts.samples.equals(whole.samples) and parts.measured.equals(whole.measured)


def test_a_stage_is_attacked_with_the_members_of_the_retrain_that_it_is_compared_with(study):
    def drawn(scenario, stage=None):
        stream = measured.members_stream(study, Cell("digits", "convnet", scenario), stage)
        return stream.integers(1000, size=5).tolist()

    assert drawn(SCENARIO, 1) == drawn("random-10") != drawn(SCENARIO, 2)
    assert drawn(SCENARIO, 2) == drawn("random-20") == drawn(SCENARIO)


def test_a_stage_is_a_run_from_the_weights_of_the_one_before(project):
    """NoT negates at every stage: with no step that moves a weight, two stages are the identity."""
    import torch

    from benchmark.training.outcome import weights_of

    still = project.unlearning(epochs=4, lr=1e-30, final_lr=0, weight_decay=0)
    end = project.run(still, project.name("not", SCENARIO))
    original = weights_of(still, still.run(project.original))
    (negated,) = end.trainer.model.negated
    assert torch.equal(end.weights[negated], original[negated])


@pytest.mark.parametrize(
    "method", ["ft", "salun", "salun@order=shuffled", "neggrad-plus", "bad-teacher", "ssd", "scrub", "cu"]
)
def test_a_stage_loads_what_goes_later_and_nothing_that_an_earlier_one_removed(
    project, study, stages, monkeypatch, method
):
    from benchmark.training.batches import Images

    loaded: list[set[int]] = []
    kind = METHODS.get(MethodName.parse(method).base)
    prepare, load = kind.prepare, Images.load
    monkeypatch.setattr(kind, "prepare", lambda self, model: (loaded.append(set()), prepare(self, model))[1])
    monkeypatch.setattr(
        Images, "load", lambda self, part, draws: (loaded[-1].update(part.index.tolist()), load(self, part, draws))[1]
    )
    project.run(study, project.name(method, SCENARIO))
    first, second = loaded
    assert first and first <= set(range(160)) and second and second <= set(range(160)) - stages[0]
    assert (len(stages[0]), len(stages[1])) == (16, 32) and stages[0] < stages[1]
    if method == "ft":
        assert (first, second) == tuple(set(range(160)) - gone for gone in stages)


@pytest.mark.parametrize("which", ["new", "all"])
def test_the_forget_data_of_a_stage_are_what_it_removes_or_all_that_is_gone(project, stages, which):
    study = project.study({"hyperparameters": {"*": {"unlearning": {"epochs": 4}}}, "sequential": {"forget": which}})
    end = project.run(study, project.name("neggrad-plus", SCENARIO))
    expected = stages[1] - stages[0] if which == "new" else stages[1]
    assert set(end.trainer.context.forget.tolist()) == expected
    assert set(end.trainer.context.retain.tolist()) == set(range(160)) - stages[1]


@pytest.mark.parametrize("schedule", ["restart", "continue"])
def test_the_learning_rate_starts_again_or_falls_once(project, monkeypatch, schedule):
    from benchmark.training.optimiser import SGD, learning_rate

    used: list[float] = []
    step = SGD.step
    monkeypatch.setattr(SGD, "step", lambda self: (used.append(self.lr), step(self))[1])
    study = project.study(
        {"hyperparameters": {"*": {"unlearning": {"epochs": 4}}}, "sequential": {"schedule": schedule}}
    )
    recipe = study.run(project.name("ft", SCENARIO)).settings
    end = project.run(study, project.name("ft", SCENARIO))
    # 144 images, then 128: five and four batches an epoch.
    epochs, start = (2, 0) if schedule == "restart" else (4, 2)
    progress = [number / 5 for number in range(10)] + [start + number / 4 for number in range(8)]
    assert used == [learning_rate(recipe.model_copy(update={"epochs": epochs}), epoch) for epoch in progress]
    # Epochs and costs count over all stages.
    assert end.history["stage"].tolist() == [1, 1, 2, 2]
    assert end.history["epoch"].tolist() == [1, 2, 3, 4]
    unit = 3 * 32 * end.record["forward_flops"] / 1e15
    assert end.history["pflops"].tolist() == pytest.approx([unit * batches for batches in (5, 10, 14, 18)])
    assert end.history["seconds"].is_monotonic_increasing


def test_the_mask_of_salun_is_paid_at_every_stage(project, study):
    end = project.run(study, project.name("salun", SCENARIO))
    unit = end.record["forward_flops"] / 1e15
    # 16 forget images a stage; 144 retain images, then 128.
    stage = [16, 144 + 16, 144 + 16, 16, 128 + 16, 128 + 16]
    assert end.history["pflops_executed"].iloc[-1] == pytest.approx(3 * sum(stage) * unit)


def test_a_divergence_in_the_second_stage_ends_the_run_there(project):
    from benchmark.methods.ft import FT

    class Doomed(FT):
        """The third epoch, the second stage's first, is no number."""

        def loss(self, outputs, batch, epoch):
            loss = super().loss(outputs, batch, epoch)
            return loss * float("nan") if len(self.context.retain) == 128 else loss

    METHODS.add("doomed", Doomed)
    end = project.run(project.unlearning(epochs=4), project.name("doomed", SCENARIO))
    assert end.status == "diverged" and end.record["diverged_at"] == {"epoch": 3, "step": 1}
    assert end.history["stage"].tolist() == [1, 1, 2]


def test_epochs_that_stages_cannot_share_are_refused(project):
    with pytest.raises(BadInput, match="accepted is a multiple of the 2 stages"):
        project.unlearning(epochs=3).run(project.name("ft", SCENARIO))


def test_retrain_of_all_stages_is_refused(project, study):
    with pytest.raises(BadInput, match="sequential-2x10 is shown by a figure of kind 'stages'"):
        study.run(project.name("retrain", SCENARIO))
