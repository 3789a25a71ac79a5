"""Forgetting in stages: stage k is an unlearning run from the weights of stage k - 1."""

import pytest
import torch

from benchmark.data.splits import forgotten, read_split
from benchmark.errors import BadInput
from benchmark.methods.ft import FT
from benchmark.metrics import measure
from benchmark.metrics.samples import METRICS
from benchmark.names import Cell
from benchmark.registry import METHODS
from benchmark.results import records
from benchmark.seeds import members_stream
from benchmark.study.prepare import split
from benchmark.training.optimiser import SGD, learning_rate
from benchmark.training.run_files import weights_of

SCENARIO = "sequential-2x10"
FOUR = {"hyperparameters": {"*": {"unlearning": {"epochs": 4}}}}  # two a stage


def test_a_stage_is_attacked_with_the_members_of_the_retrain_that_it_is_compared_with(project):
    study = project.study(FOUR)

    def drawn(scenario, stage=None):
        stream = members_stream(study.seed, Cell("digits", "convnet", scenario), stage)
        return stream.integers(1000, size=5).tolist()

    assert drawn(SCENARIO, 1) == drawn("random-10") != drawn(SCENARIO, 2)
    assert drawn(SCENARIO, 2) == drawn("random-20") == drawn(SCENARIO)


def test_a_stage_starts_from_the_weights_of_the_one_before_however_often_the_run_is_stopped(project):
    """NoT negates once at every stage: with no step that moves a weight, two stages are the identity."""
    still = project.unlearning(epochs=4, lr=1e-30, final_lr=0, weight_decay=0)
    end = project.run(still, project.name("not", SCENARIO), stops=(1, 4, 5, 12, 14))
    original = weights_of(still, still.run(project.original))
    (negated,) = end.trainer.model.negated
    assert torch.equal(end.weights[negated], original[negated])


def test_the_forget_data_of_a_stage_are_what_it_removes_or_on_request_all_removed_so_far(project, shared):
    new = shared.run("neggrad-plus", SCENARIO)
    study = project.study({"sequential": {"forget": "all"}})
    cumulative = project.run(study, project.name("neggrad-plus", SCENARIO))
    frame = records.forget_rows(study, study.run(project.name("neggrad-plus", SCENARIO)))
    first, removed = (set(forgotten(frame, stage=stage).tolist()) for stage in (1, 2))
    assert (len(first), len(removed)) == (16, 32) and first < removed
    for end, forget in ((new, removed - first), (cumulative, removed)):
        assert set(end.trainer.context.forget.tolist()) == forget
        assert set(end.trainer.context.retain.tolist()) == set(range(160)) - removed


def test_a_stage_is_measured_as_the_scenario_that_forgets_all_removed_by_its_end(project):
    study = project.study({"members": "random"}, {"hyperparameters": {"*": {"unlearning": {"epochs": 0}}}})
    project.run(study, project.original)
    end = project.run(study, project.name("ft", SCENARIO))  # at each stage still Original
    assert end.history["stage"].tolist() == [1, 2]
    for scenario, row in zip(("random-10", "random-20"), end.history.to_dict("records"), strict=True):
        forget = read_split(split(study, "digits", scenario, 0))
        rng = members_stream(study.seed, Cell("digits", "convnet", scenario))
        assert measure(end.samples, forget, "random", rng) == {metric: row[metric] for metric in METRICS}


@pytest.mark.parametrize("schedule", ["restart", "continue"])
def test_the_learning_rate_starts_again_or_falls_once(project, monkeypatch, schedule):
    used: list[float] = []
    step = SGD.step
    monkeypatch.setattr(SGD, "step", lambda self: (used.append(self.lr), step(self))[1])
    study = project.study(FOUR, {"sequential": {"schedule": schedule}})
    recipe = study.run(project.name("ft", SCENARIO)).settings
    end = project.run(study, project.name("ft", SCENARIO))
    # 144 images, then 128: five and four batches an epoch.
    epochs, start = (2, 0) if schedule == "restart" else (4, 2)
    progress = [number / 5 for number in range(10)] + [start + number / 4 for number in range(8)]
    assert used == [learning_rate(recipe.model_copy(update={"epochs": epochs}), epoch) for epoch in progress]
    # Epochs and time count over all stages.
    assert end.history["stage"].tolist() == [1, 1, 2, 2] and end.history["epoch"].tolist() == [1, 2, 3, 4]
    assert end.history["seconds"].is_monotonic_increasing


def test_a_divergence_in_the_second_stage_ends_the_run_there(project):
    class Doomed(FT):
        """The third epoch, the second stage's first, is no number."""

        def loss(self, outputs, batch, epoch):
            loss = super().loss(outputs, batch, epoch)
            return loss * float("nan") if len(self.context.retain) == 128 else loss

    METHODS.add("doomed", Doomed)
    end = project.run(project.study(FOUR), project.name("doomed", SCENARIO))
    assert end.status == "diverged" and end.record["diverged_at"] == {"epoch": 3, "step": 1}
    assert end.history["stage"].tolist() == [1, 1, 2]
    assert end.samples["loss"].isna().all()  # of the model as it ended, not as it was last evaluated


def test_epochs_that_stages_cannot_share_and_a_retrain_of_all_stages_are_refused(project):
    with pytest.raises(BadInput, match="accepted is a multiple of the 2 stages"):
        project.unlearning(epochs=3).run(project.name("ft", SCENARIO))
    with pytest.raises(BadInput, match="sequential-2x10 is shown by a figure of kind 'stages'"):
        project.study(FOUR).run(project.name("retrain", SCENARIO))
