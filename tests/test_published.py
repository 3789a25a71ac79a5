"""What is published is not replaced in silence."""

import subprocess

import pandas as pd
import pytest

from benchmark import paths, published
from benchmark.collect import collect
from benchmark.errors import BadInput
from benchmark.files import write_parquet


def git(*arguments):
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True, capture_output=True)


@pytest.fixture
def study(project):
    """A study of two runs, gathered and committed."""
    tables = {"table2": {"methods": ["ft"]}, "table8": None}
    study = project.study({"published": True, "trials": 1, "tables": tables})
    for method in ("retrain", "ft"):
        project.run(study, project.name(method))
    collect(study)
    git("init", "-q")
    git("add", "results/tiny-metrics.parquet")
    git("commit", "-qm", "results")
    return study


def change(study, project, lr):
    tables = {"table2": {"methods": ["ft"]}, "table8": None}
    settings = {"hyperparameters": {"*": {"ft": {"lr": lr}}}}
    changed = project.study({"published": True, "trials": 1, "tables": tables}, settings)
    project.run(changed, project.name("ft"))
    return changed


def test_the_same_results_are_gathered_again(study):
    before = paths.collected("tiny", "metrics").read_bytes()
    collect(study)
    assert paths.collected("tiny", "metrics").read_bytes() == before


def test_other_results_are_refused_until_told(study, project):
    before = paths.collected("tiny", "metrics").read_bytes()
    changed = change(study, project, 0.02)
    with pytest.raises(
        BadInput, match=r"is published and comes out otherwise now: 1 runs are of another configuration"
    ):
        collect(changed)
    assert paths.collected("tiny", "metrics").read_bytes() == before
    collect(changed, replace=True)
    assert paths.collected("tiny", "metrics").read_bytes() != before


def test_a_study_that_publishes_nothing_gathers_what_it_likes(study, project):
    change(study, project, 0.02)
    tables = {"table2": {"methods": ["ft"]}, "table8": None}
    private = {"trials": 1, "tables": tables, "hyperparameters": {"*": {"ft": {"lr": 0.02}}}}
    collect(project.study(private))


def test_what_differs_is_named(study):
    before = pd.read_parquet(paths.collected("tiny", "metrics"))
    assert published.difference(before, before.assign(seconds=0.0, device="another", commit="another")) == ""
    moved = before.copy()
    moved.loc[moved["method"] == "ft", "ua"] += 0.5
    assert "1 runs have other metrics: ua of digits/convnet/random-10/ft/trial-0 was" in published.difference(
        before, moved
    )
    assert "1 runs are gone, such as digits/convnet/random-10/retrain" in published.difference(
        before, before[before["method"] != "retrain"]
    )
    assert "are new" in published.difference(before[before["method"] != "ft"], before)


def test_without_git_or_a_commit_nothing_is_published(project):
    path = paths.collected("tiny", "metrics")
    assert published.committed(path) is None
    write_parquet(path, pd.DataFrame({"a": [1]}))
    git("init", "-q")
    assert published.committed(path) is None
