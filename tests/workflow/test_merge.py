"""Merging the pools of two checkouts: what is taken, what is refused, and that nothing here is touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import read_record, sha256, write_parquet, write_record
from benchmark.report.draw import draw_table
from benchmark.results.records import is_there
from benchmark.study.study import Study
from benchmark.workflow import merge as merging
from benchmark.workflow.merge import merge
from tests.pool import pool_path
from tests.project import Project, call

METHODS = ["ft", "ft@lr=0.02"]
STUDY = {"trials": 1, "tables": {"table2": {"methods": METHODS}, "table8": None}}


@pytest.fixture(scope="module")
def pools(prepared, tmp_path_factory) -> Path:
    """Two checkouts with one Original and one Retrain: ``here`` ran FT, ``there`` FT with another learning rate."""
    root = tmp_path_factory.mktemp("pools")
    with pytest.MonkeyPatch.context() as patch:
        for name, method in (("here", METHODS[0]), ("there", METHODS[1])):
            project = Project.copied(root / "here" if name == "there" else prepared, root / name, patch)
            study = project.study(STUDY)
            shutil.rmtree(paths.run(pool_path(study, project.name("ft"))), ignore_errors=True)
            for trained in [method, "retrain"] if name == "here" else [method]:
                project.run(study, project.name(trained))
    return root


@pytest.fixture
def study(pools, tmp_path, monkeypatch) -> Study:
    """The study in a copy of ``here``, with one of ``there`` beside it."""
    shutil.copytree(pools / "there", tmp_path / "there")
    return Project.copied(pools / "here", tmp_path / "here", monkeypatch).study(STUDY)


def folder_there(study: Study, method: str) -> Path:
    """Return the folder of a run in the other checkout."""
    name = "digits/convnet/original/trial-0" if method == "original" else f"digits/convnet/random-10/{method}/trial-0"
    return Path("../there") / paths.run(pool_path(study, name))


def come_out_otherwise(run: Path, device: str = "Xeon") -> None:
    """Change a run's samples, and their digest with them, as another kind of processor may."""
    samples = pd.read_parquet(run / paths.SAMPLES)
    write_parquet(run / paths.SAMPLES, samples.assign(loss=samples["loss"] * 1.001))
    record = read_record(run / paths.RUN)
    record["sha256"][paths.SAMPLES] = sha256(run / paths.SAMPLES)
    record["stamp"]["device"] = device
    write_record(run / paths.RUN, record)


def files() -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()}


def test_runs_of_other_settings_are_taken_and_a_table_shows_both(study):
    before = files()
    planned, succeeded = merge([Path("../there")], dry_run=True)
    assert "1 run would be added, 2 already here" in planned and files() == before and succeeded
    text, _ = merge([Path("../there")])
    assert "1 run added, 2 already here" in text and "digits/convnet/random-10  ft@lr=0.02 1" in text
    assert before.items() <= files().items()
    draw_table(study, "table2")
    rows = pd.read_csv(paths.table("tiny", "table2", ".csv"))
    assert set(METHODS) < set(rows["method"]) and rows["avg_gap"].notna().all()
    # A folder of results is as good as its checkout, and what is here is not taken twice.
    assert "0 runs added, 3 already here" in merge([Path("../there/results")])[0]


def test_weights_that_are_missing_here_are_taken_once(study):
    shutil.copytree("../there", "../twin")
    weights = paths.run(pool_path(study, "digits/convnet/original/trial-0")) / paths.MODEL
    before = weights.read_bytes()
    weights.unlink()
    text, _ = merge([Path("../there"), Path("../twin")])
    assert "weights of 1 run already here without them" in text and weights.read_bytes() == before


def test_a_run_of_no_study_is_named(study):
    Path("config/tiny.yaml").write_text(Path("config/tiny.yaml").read_text().replace("- ft@lr=0.02\n", ""))
    assert "no study in config shows 1 of them: digits/convnet/random-10/ft@lr=0.02" in merge([Path("../there")])[0]


def test_equal_settings_with_unequal_results_are_refused_by_name_before_anything_is_copied(study):
    for method in ("retrain", "original"):
        come_out_otherwise(folder_there(study, method))
    before = files()
    ended = call("merge", "../there")
    assert ended.returncode == 2 and files() == before
    assert "2 of equal settings and unequal results: nothing was copied" in ended.stderr
    assert "there Xeon" in ended.stderr
    assert "digits/convnet/original/trial-0, digits/convnet/random-10/retrain/trial-0. '--keep" in ended.stderr


def test_runs_that_conflict_are_kept_beside_with_all_that_started_from_them(study):
    come_out_otherwise(folder_there(study, "original"))
    before = files()
    text, _ = merge([Path("../there")], beside="xeon")
    assert "0 runs added, 1 already here" in text and "2 runs kept beside, in results/others/xeon" in text
    new = files().keys() - before.keys()
    assert new and all(file.is_relative_to("results/others/xeon/results") for file in new)
    assert before.items() <= files().items() and not is_there(study.run("digits/convnet/random-10/ft@lr=0.02/trial-0"))
    assert "0 runs kept beside, in results/others/xeon, 2 there already" in merge([Path("../there")], "xeon")[0]
    come_out_otherwise(folder_there(study, "original"))
    with pytest.raises(BadInput, match="results/others/xeon has others already"):
        merge([Path("../there")], beside="xeon")


def test_a_run_that_is_damaged_or_half_written_is_not_taken(study):
    run = folder_there(study, "ft@lr=0.02")
    with (run / paths.HISTORY).open("ab") as file:
        file.write(b"more")
    ended = call("merge", "../there")
    assert ended.returncode == 1 and f"not taken: {run / paths.HISTORY} is damaged" in ended.stdout
    (run / paths.RUN).unlink()
    assert "0 runs added, 2 already here" in merge([Path("../there")])[0]


def test_a_run_that_started_from_one_that_is_not_taken_is_not_taken_either(study):
    with (folder_there(study, "original") / paths.HISTORY).open("ab") as file:
        file.write(b"more")
    original, ft = folder_there(study, "original"), folder_there(study, "ft@lr=0.02")
    text, succeeded = merge([Path("../there")])
    assert not succeeded and f"not taken: {original / paths.HISTORY} is damaged" in text
    assert f"not taken: {ft} was made from what is not taken" in text and not paths.run(ft.name).exists()
    assert "0 runs added" in text


def test_a_copy_that_is_cut_off_leaves_no_run_and_resumes(study, monkeypatch):
    copyfile = shutil.copyfile

    def cut(source: Path, target: Path) -> None:
        if source.name == paths.RUN:
            raise KeyboardInterrupt
        copyfile(source, target)

    run = study.run("digits/convnet/random-10/ft@lr=0.02/trial-0")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(merging.shutil, "copyfile", cut)
        merge([Path("../there")])
    assert paths.run(run.pool_path).is_dir() and not is_there(run)
    assert "1 run added" in merge([Path("../there")])[0] and is_there(run)


def test_folders_that_are_no_other_checkout_are_refused(study):
    for arguments, message in [
        (["../there/config"], "no runs there: accepted is another checkout"),
        (["."], "that is this pool"),
        (["../there", "--keep-both", "../up"], "--keep-both '../up'"),
    ]:
        ended = call("merge", *arguments)
        assert ended.returncode == 2 and message in ended.stderr and ended.stderr.count("\n") == 1
