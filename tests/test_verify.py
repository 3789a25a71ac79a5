import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.workflow.verify import report, verify
from tests.places import run_folder

ROOT = Path(__file__).resolve().parents[1]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_whole_files_are_counted(project):
    study = project.study()
    # Five of the dataset, three and the record of Original, two splits that the study uses.
    assert verify(study) == (11, []) and report(study) == "11 files are what was written"


@pytest.mark.parametrize("file", ["samples.parquet", "model.safetensors", "history.parquet", "run.json"])
def test_a_flipped_bit_is_named_and_its_file_set_aside(project, file):
    study = project.study()
    path = run_folder("tiny", project.original) / file
    flip(path)
    with pytest.raises(BadInput, match=f"1 damaged, .*{file}"):
        report(study)
    assert not path.exists() and path.with_name(f"{file}.damaged").exists()


@pytest.mark.parametrize("file", ["train_images.npy", "test_labels.npy", "provenance.json"])
def test_a_damaged_dataset_is_named_and_prepared_again_to_the_same(project, file):
    study = project.study()
    path = study.dataset_folder("digits") / file
    good = path.read_bytes()
    flip(path)
    (problem,) = verify(study)[1]
    assert file in problem and problem.endswith("It has now been prepared again")
    assert path.read_bytes() == good and verify(study) == (11, [])


def test_a_split_of_another_seed_is_named_and_drawn_again(project):
    project.study()
    study = project.study({"seed": 2})
    found = verify(study)[1]
    assert all("made from" in problem and problem.endswith("drawn again") for problem in found) and len(found) == 2
    assert verify(study)[1] == []


def test_the_split_of_every_trial_is_looked_at(project):
    from benchmark.study.prepare import split

    study = project.study({"trials": 2, "resample": ["split"]})
    flip(split(study, "digits", "random-10", 1))
    (problem,) = verify(study)[1]
    assert "random-10/trial-1.parquet" in problem


def test_a_record_of_another_run_is_no_record(project):
    from benchmark.results.records import record

    study = project.study()
    end = project.run(study, project.name("ft"))
    assert end.status == "finished"
    folder = run_folder("tiny", project.name("ft"))
    (folder / "run.json").write_bytes((run_folder("tiny", project.original) / "run.json").read_bytes())
    with pytest.raises(BadInput, match=r"it is the record of digits/convnet/original/trial-0.*set aside"):
        record(study, study.run(project.name("ft")))


@pytest.mark.parametrize("limit", [100, 3000, 20_000])
def test_a_full_disk_is_one_line_and_leaves_nothing_half(project, limit):
    project.study()
    name = project.name("ft")
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "run", "tiny", name],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    if done.returncode:
        assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
        assert "File too large" in done.stderr
    files = {path.name for path in run_folder("tiny", name).glob("*")}
    assert ("run.json" in files) == (done.returncode == 0) and not list(run_folder("tiny", name).glob(".*"))


def test_a_run_of_other_images_is_named_set_aside_and_made_again(project):
    from benchmark.results import records as results
    from benchmark.study.prepare import prepare

    folder = project.root / "mine"
    for split, shades in (("train", range(0, 240, 6)), ("test", range(3, 240, 12))):
        for label in ("dark", "light"):
            (folder / split / label).mkdir(parents=True)
        for shade in shades:
            Image.new("L", (8, 8), shade).save(folder / split / ("dark" if shade < 120 else "light") / f"{shade}.png")
    mine = {
        "trials": 1,
        "members": "random",
        "datasets": {"mine": {"source": "folder", "path": str(folder), "size": 8}},
        "tables": {"table2": {"cells": ["mine/convnet/random-10"], "methods": ["ft"]}, "table8": None},
    }
    study = project.study(mine)
    prepare(study, "mine")
    original = study.run("mine/convnet/original/trial-0")
    project.run(study, str(original.name))
    before = results.record(study, original)["stamp"]["data"]

    # The folder is the same by name, so the study is; what it holds is not.
    (folder / "train" / "dark" / "0.png").unlink()
    prepare(study, "mine")
    with pytest.raises(StaleOutput, match=f"made from other images \\({before}\\).*set aside"):
        results.record(study, original)
    record = run_folder("tiny", original.name) / "run.json"
    assert not record.exists() and record.with_name("run.json.other").exists()
    project.run(study, str(original.name))
    assert results.record(study, original)["stamp"]["data"] != before


def test_a_run_of_another_split_is_named_and_set_aside(project):
    from benchmark.data.splits import read_split, write_split
    from benchmark.results import records as results
    from benchmark.study import prepare

    study = project.study()
    run = study.run(project.name("ft"))
    project.run(study, str(run.name))
    assert results.record(study, run)["split"]
    file = paths.split(study.split_of(run).place)
    frame = read_split(file)
    write_split(file, frame.iloc[:-1], prepare.split_origin(study, "digits", "random-10", 0))
    with pytest.raises(StaleOutput, match="made from other split"):
        results.record(study, run)
