"""What methods do to an Original that knows its training data."""

import contextlib
import shutil

import pytest

from tests.project import ORIGINAL, Project

WELL_TRAINED = {"hyperparameters": {"*": {"training": {"epochs": 20, "batch_size": 16}}}}


@pytest.fixture(scope="module")
def root(prepared, tmp_path_factory):
    """The prepared project with another Original, well trained."""
    root = shutil.copytree(prepared, tmp_path_factory.mktemp("trained") / "project")
    with contextlib.chdir(root):
        Project(root).run(Project(root).study(WELL_TRAINED), ORIGINAL)
    return root


@pytest.fixture
def run(root, monkeypatch):
    """Return a function that does a run from that Original."""
    monkeypatch.chdir(root)
    project = Project(root)

    def unlearn(method, scenario="random-10", **unlearning):
        study = project.study(WELL_TRAINED, {"hyperparameters": {"*": {"unlearning": unlearning}}})
        return project.run(study, project.name(method, scenario))

    return unlearn


@pytest.mark.parametrize(
    ("method", "recipe", "ua", "ra"),
    [
        ("cu", {"lr": 0.02, "epochs": 8, "batch_size": 16}, (80, 100), 80),
        ("scrub@msteps=4", {"lr": 0.05, "epochs": 4, "batch_size": 8}, (90, 100), 80),
        ("scrub@msteps=0", {"lr": 0.05, "epochs": 4, "batch_size": 8}, (0, 60), 90),  # without a forget pass
    ],
)
def test_a_class_is_forgotten_and_the_others_are_not(run, method, recipe, ua, ra):
    row = run(method, "class-8", **recipe).history.iloc[-1]
    assert ua[0] <= row["ua"] <= ua[1] and row["ra"] > ra


def losses(end):
    """Return the mean losses of the forget and of the retain data."""
    training = end.samples[end.samples["split"] == "train"]["loss"].to_numpy()
    return [training[samples.numpy()].mean() for samples in (end.trainer.context.forget, end.trainer.context.retain)]


def test_bad_teacher_leaves_the_student_unsure_of_forget_data_and_sure_of_retain_data(run):
    forget, retain = losses(run("bad-teacher@retain_share=1", lr=0.05, epochs=10, batch_size=8))
    assert forget > 2 * retain


def test_neggrad_plus_climbs_the_forget_loss(run):
    climbed, plain = (losses(run(f"neggrad-plus@beta={beta}", epochs=4, lr=0.01))[0] for beta in ("0.5", "1"))
    assert climbed > plain
