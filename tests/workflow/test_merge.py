"""Merging the pools of two checkouts: what is taken, what is refused, and that nothing here is touched."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pandas as pd
import pytest

from benchmark import paths
from benchmark.data.splits import read_split
from benchmark.errors import BadInput
from benchmark.files import read_record, sha256, write_parquet, write_record, written_digest, written_origin
from benchmark.report.draw import draw_table
from benchmark.results.records import is_there
from benchmark.study.study import Study
from benchmark.workflow import merge as merging
from benchmark.workflow.merge import merge
from tests.pool import run_folder, split_file
from tests.project import CELL, ORIGINAL, Project, call, mistake

METHODS = ["ft", "ft@lr=0.02"]
STUDY = {"trials": 1, "tables": {"table2": {"methods": METHODS}, "table8": None}}
NEW = f"{CELL}/ft@lr=0.02/trial-0"


@pytest.fixture(scope="module")
def pools(prepared, tmp_path_factory) -> Path:
    """Two checkouts with one Original and one Retrain: ``here`` ran FT, ``there`` FT with another learning rate."""
    root = tmp_path_factory.mktemp("pools")
    with pytest.MonkeyPatch.context() as patch:
        for name, method in (("here", METHODS[0]), ("there", METHODS[1])):
            project = Project.copied(root / "here" if name == "there" else prepared, root / name, patch)
            study = project.study(STUDY)
            shutil.rmtree(run_folder(study, project.name("ft")), ignore_errors=True)
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
    return Path("../there") / run_folder(study, ORIGINAL if method == "original" else f"{CELL}/{method}/trial-0")


def come_out_otherwise(run: Path, device: str = "Xeon") -> None:
    """Change a run's samples, and their digest with them, as another kind of processor may."""
    samples = pd.read_parquet(run / paths.SAMPLES)
    write_parquet(run / paths.SAMPLES, samples.assign(loss=samples["loss"] * 1.001))
    rewrite(run, sha256={paths.SAMPLES: sha256(run / paths.SAMPLES)}, stamp={"device": device})


def rewrite(run: Path, **changes: str | dict[str, object]) -> None:
    """Change entries of a run's record; a mapping keeps what the change lacks."""
    record = read_record(run / paths.RUN)
    for key, value in changes.items():
        record[key] = record[key] | value if isinstance(value, dict) else value
    write_record(run / paths.RUN, record)


def files() -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()}


def test_a_run_that_a_job_here_finishes_meanwhile_is_left_alone(study, monkeypatch):
    add, target = merging._add, run_folder(study, NEW)

    def finish_first(piece):
        if piece.record:
            shutil.copytree(folder_there(study, METHODS[1]), target)
            rewrite(target, stamp={"device": "this one"})
        add(piece)

    monkeypatch.setattr(merging, "_add", finish_first)
    with pytest.raises(BadInput, match=f"^{target} was finished here while others were copied"):
        merge([Path("../there")])
    assert read_record(target / paths.RUN)["stamp"]["device"] == "this one"


def test_a_run_that_has_lost_a_file_is_restored_from_another_pool(study):
    merge([Path("../there")])
    target = run_folder(study, NEW)
    (target / paths.SAMPLES).unlink()
    assert "1 run added" in merge([Path("../there")])[0]
    assert read_record(target / paths.RUN)["sha256"][paths.SAMPLES] == sha256(target / paths.SAMPLES)


def test_runs_of_other_settings_are_taken_and_a_table_shows_both(study):
    before = files()
    planned, succeeded = merge([Path("../there")], dry_run=True)
    assert "1 run would be added, 2 already here" in planned and files() == before and succeeded
    images = Path("../there/results/runs/digits")  # on another disk
    images.rename("../digits")
    images.symlink_to(Path("../digits").resolve())
    text, _ = merge([Path("../there")])
    assert "1 run added, 2 already here" in text and "digits/convnet/random-10  ft@lr=0.02 1" in text
    assert before.items() <= files().items()
    draw_table(study, "table2")
    rows = pd.read_csv(paths.table("tiny", "table2", ".csv"))
    assert set(METHODS) < set(rows["method"]) and rows["avg_gap"].notna().all()
    # A folder of results is as good as its checkout, and what is here is not taken twice.
    # A folder that is named twice is read once.
    assert "0 runs added, 3 already here" in merge([Path("../there/results"), Path("../there")])[0]


def test_weights_that_are_missing_here_are_taken_once(study):
    shutil.copytree("../there", "../twin")
    weights = run_folder(study, ORIGINAL) / paths.MODEL
    before = weights.read_bytes()
    weights.unlink()
    text, _ = merge([Path("../there"), Path("../twin")])
    assert "weights of 1 run already here without them" in text and weights.read_bytes() == before


def test_weights_of_another_training_are_not_taken_for_those_that_are_missing(study):
    weights, there = run_folder(study, ORIGINAL) / paths.MODEL, folder_there(study, "original")
    weights.unlink()
    content = (there / paths.MODEL).read_bytes()
    (there / paths.MODEL).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    rewrite(there, sha256={paths.MODEL: sha256(there / paths.MODEL)})
    text, _ = merge([Path("../there")])
    assert "weights of" not in text and not weights.exists()


def test_a_run_is_taken_with_its_weights(study):
    weights = run_folder(study, ORIGINAL) / paths.MODEL
    before = weights.read_bytes()
    shutil.rmtree(weights.parent)
    merge([Path("../there")])
    assert weights.read_bytes() == before


def test_a_run_of_no_study_is_named(study):
    Path("config/tiny.yaml").write_text(Path("config/tiny.yaml").read_text().replace("- ft@lr=0.02\n", ""))
    Path("config/other.yaml").write_text("extends: nowhere\n")
    said = merge([Path("../there")])[0]
    assert "whether study other has them is not known: config/other.yaml: extends" in said
    assert "no other study in config has 1 of them: digits/convnet/random-10/ft@lr=0.02" in said
    Path("config/other.yaml").unlink()
    shutil.rmtree(paths.RESULTS)
    assert "no study in config has 1 of them: digits/convnet/random-10/ft@lr=0.02" in merge([Path("../there")])[0]


def test_equal_settings_with_unequal_results_are_refused_by_name_before_anything_is_copied(study):
    for method in ("retrain", "original"):
        come_out_otherwise(folder_there(study, method))
    before = files()
    ended = call("merge", "../there")
    assert ended.returncode == 2 and files() == before
    assert "2 of equal settings and unequal results: nothing was copied" in ended.stderr
    assert "there Xeon" in ended.stderr
    assert "digits/convnet/original/trial-0, digits/convnet/random-10/retrain/trial-0. '--keep" in ended.stderr


def test_two_folders_whose_results_differ_are_refused(study):
    shutil.copytree("../there", "../twin")
    come_out_otherwise(Path("../twin") / folder_there(study, "ft@lr=0.02").relative_to("../there"))
    with pytest.raises(BadInput, match="1 of equal settings and unequal results: nothing was copied"):
        merge([Path("../there"), Path("../twin")])


def test_runs_that_conflict_are_kept_beside_with_all_that_started_from_them(study):
    come_out_otherwise(folder_there(study, "original"))
    before = files()
    text, _ = merge([Path("../there")], beside="xeon")
    assert "0 runs added, 1 already here" in text and "2 runs kept beside, in results/others/xeon" in text
    new = files().keys() - before.keys()
    assert new and all(file.is_relative_to("results/others/xeon/results") for file in new)
    assert before.items() <= files().items() and not is_there(study.run(NEW))
    assert "0 runs kept beside, in results/others/xeon, 2 there already" in merge([Path("../there")], "xeon")[0]
    come_out_otherwise(folder_there(study, "original"))
    with pytest.raises(BadInput, match="results/others/xeon has others already"):
        merge([Path("../there")], beside="xeon")


def test_a_run_of_a_split_that_is_kept_beside_is_kept_beside_too(study):
    split = Path("../there") / split_file(study)
    write_parquet(split, read_split(split).iloc[:-1], written_origin(split))
    rewrite(folder_there(study, "ft@lr=0.02"), split=written_digest(split))
    text, _ = merge([Path("../there")], beside="other")
    assert "0 runs added" in text and "1 run kept beside" in text and not is_there(study.run(NEW))


def test_a_run_that_is_damaged_or_half_written_is_not_taken(study):
    run = folder_there(study, "ft@lr=0.02")
    with (run / paths.HISTORY).open("ab") as file:
        file.write(b"more")
    ended = call("merge", "../there")
    assert ended.returncode == 1 and f"not taken: {run / paths.HISTORY} is damaged" in ended.stdout
    (run / paths.RUN).unlink()
    text, succeeded = merge([Path("../there")])
    assert "0 runs added, 2 already here" in text and not succeeded
    assert f"not taken: {run} has no run.json: copy it whole" in text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"slice": {"seed": 7}}, "it belongs to another path"),  # by the fingerprint, which is not these settings'
        ({"stamp": {"data": "0" * 16}}, f"was made from other images of digits ({'0' * 16}) than are prepared here"),
    ],
    ids=["settings", "images"],
)
def test_a_run_of_other_settings_than_its_fingerprint_or_of_other_images_is_not_taken(study, change, reason):
    run = folder_there(study, "ft@lr=0.02")
    rewrite(run, **change)
    text, succeeded = merge([Path("../there")])
    assert not succeeded and f"not taken: {run}" in text and reason in text and not is_there(study.run(NEW))


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

    run = study.run(NEW)
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
        assert message in mistake("merge", *arguments)
    Path("below").mkdir()
    with contextlib.chdir("below"):
        assert "no folder config here: accepted is a checkout, at its top" in mistake("merge", "../../there")
