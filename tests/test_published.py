"""Published results are never replaced silently."""

import shutil
import subprocess
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.files import write_parquet
from benchmark.report.draw import draw_table
from benchmark.results import published
from benchmark.results.gather import collect
from benchmark.results.records import read_all
from benchmark.results.sides import read_side
from benchmark.study.study import Study
from tests.pool import run_folder
from tests.project import Project


def git(*arguments):
    settings = ["user.name=a", "user.email=a@b", "commit.gpgsign=false", "core.hooksPath=/dev/null"]
    options = [part for setting in settings for part in ("-c", setting)]
    subprocess.run(["git", *options, *arguments], check=True, capture_output=True)


SMALL = {"trials": 1, "tables": {"table2": {"methods": ["ft"]}, "table8": None}}


@pytest.fixture(scope="module")
def prepared(prepared, tmp_path_factory):
    """A study of two runs, gathered and committed; every test gets a copy."""
    with pytest.MonkeyPatch.context() as patch:
        project = Project.copied(prepared, tmp_path_factory.mktemp("published") / "project", patch)
        study = project.study(SMALL, {"published": True})
        project.run_all(study)
        collect(study)
        git("init", "-q")
        git("add", "results/tiny-metrics.parquet")
        git("commit", "-qm", "results")
    return project.root


@pytest.fixture
def study(project):
    return Study.load("tiny")


def ft_changed(project):
    """Return the study with another learning rate for FT, after running FT again."""
    changed = project.study(SMALL, {"published": True, "hyperparameters": {"*": {"ft": {"lr": 0.02}}}})
    project.run(changed, project.name("ft"))
    return changed


def test_results_that_differ_from_the_published_are_refused_unless_asked_to_replace(study, project):
    path = paths.gathered("tiny", "metrics")
    before = path.read_bytes()
    collect(study)
    assert path.read_bytes() == before
    changed = ft_changed(project)
    with pytest.raises(BadInput, match="is published and comes out otherwise now: 1 run of another configuration"):
        collect(changed)
    assert path.read_bytes() == before
    collect(changed, replace=True)
    assert path.read_bytes() != before
    # A study that publishes nothing may gather anything.
    collect(project.study(SMALL, {"published": False}))


def test_a_table_that_differs_from_the_published_results_is_refused_unless_asked_to_replace(study, project):
    draw_table(study, "table2")
    changed = ft_changed(project)
    path = paths.table("tiny", "table2", ".csv")
    before = path.read_bytes()
    with pytest.raises(BadInput, match=r"table2 would show other results than are published .* another configuration"):
        draw_table(changed, "table2")
    assert path.read_bytes() == before
    draw_table(changed, "table2", replace=True)
    assert path.read_bytes() != before
    # Nor is it drawn from gathered files other than the committed ones.
    collect(changed, replace=True)
    shutil.rmtree(run_folder(changed, project.name("ft")))
    with pytest.raises(BadInput, match="table2 would show other results"):
        draw_table(changed, "table2")


def test_a_table_may_show_runs_beside_those_that_are_published(study, project):
    more = project.study(SMALL, {"published": True, "tables": {"table2": {"methods": ["ft", "not"]}}})
    project.run(more, project.name("not"))
    draw_table(more, "table2")
    assert "not" in set(pd.read_csv(paths.table("tiny", "table2", ".csv"))["method"])


def test_partial_results_replace_nothing_and_may_differ_from_the_published(study, project):
    path = paths.gathered("tiny", "metrics")
    before = path.read_bytes()
    shutil.rmtree(run_folder(study, project.name("ft")))
    collect(study, partial=True)
    draw_table(ft_changed(project), "table2", partial=True)
    assert path.read_bytes() == before and not paths.table("tiny", "table2", ".csv").exists()
    assert set(pd.read_parquet(paths.gathered("tiny", "metrics.partial"))["method"]) == {"retrain", "original"}
    assert paths.table("tiny", "table2", ".partial.csv").exists()


@pytest.mark.slow
def test_the_workflow_keeps_what_is_published_and_replaces_it_on_request(study, project):
    project.add_workflow()
    project.snakemake("table2", check=True)
    ft_changed(project)
    drawn = [paths.gathered("tiny", "metrics"), paths.table("tiny", "table2", ".tex")]
    before = [path.read_bytes() for path in drawn]
    done = project.snakemake("collect", "table2")
    assert done.returncode != 0 and "is published and comes out otherwise now" in done.stdout
    assert [path.read_bytes() for path in drawn] == before
    project.snakemake("collect", "table2", replace="yes", check=True)
    assert "0.02" in str(pd.read_parquet(paths.gathered("tiny", "metrics"))["setting_lr"].tolist())


def test_where_git_cannot_say_what_was_published_nothing_is_replaced(study, monkeypatch):
    def refuse(arguments, **_):
        return subprocess.CompletedProcess(arguments, 128, b"", b"fatal: detected dubious ownership in repository")

    monkeypatch.setattr(published.subprocess, "run", refuse)
    with pytest.raises(BadInput, match="git cannot say what it was: fatal: detected dubious ownership"):
        collect(study)

    def missing(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(published.subprocess, "run", missing)
    with pytest.raises(BadInput, match="git cannot say what it was: it is not installed"):
        collect(study)


def test_a_commit_whose_content_is_not_here_is_not_taken_for_one_that_publishes_nothing(study):
    path = paths.gathered("tiny", "metrics")
    # As in a clone without the content of files, offline.
    content = subprocess.run(["git", "rev-parse", f"HEAD:{path}"], capture_output=True, check=True, text=True).stdout
    Path(".git/objects", content[:2], content[2:].strip()).unlink()
    for attempt in (lambda: collect(study), lambda: read_side("tiny", "HEAD")):
        with pytest.raises(BadInput, match=f"^{path}: git cannot say what it was: fatal: "):
            attempt()
    assert published.committed(paths.gathered("tiny", "audits")) is None


def test_a_difference_is_described(study):
    before = pd.read_parquet(paths.gathered("tiny", "metrics"))
    moved = before.copy()
    moved.loc[moved["method"] == "ft", "ua"] += 0.5
    for after, description in [
        (moved, "1 run with other metrics: ua of digits/convnet/random-10/ft/trial-0 was"),
        (before[before["method"] != "retrain"], "1 run lacking, such as digits/convnet/random-10/retrain"),
        (pd.concat([before, before[before["method"] == "ft"].assign(trial=7)]), "1 run added, such as"),
    ]:
        assert description in published.difference(before, after)
    barely = (before.assign(ra=ra) for ra in (98.0, 98.0005))
    assert "was 98.0000, is 98.0005" in published.difference(*barely)
    assert published.difference(before, before.assign(seconds=0.0, device="another", commit="another")) == ""


def test_an_error_is_raised_once_nothing_is_being_read_any_more():
    begun, ended = threading.Event(), []

    def read(item):
        if item == "missing":
            begun.wait(2)
            raise StaleOutput("it is missing")
        begun.set()
        time.sleep(0.5)
        ended.append(item)
        raise StaleOutput("passed over, since it comes later")

    with pytest.raises(StaleOutput, match="it is missing"):
        read_all(read, ["missing", "there"])
    assert ended == ["there"] * begun.is_set()


def test_without_git_or_a_commit_nothing_is_published(empty):
    path = paths.gathered("tiny", "metrics")
    assert published.committed(path) is None
    write_parquet(path, pd.DataFrame({"a": [1]}))
    git("init", "-q")
    assert published.committed(path) is None
