"""``verify`` names and sets aside what is damaged or made from other data; reading moves nothing."""

import re
import resource
from functools import partial

import pytest
from PIL import Image

from benchmark import paths
from benchmark.data import store
from benchmark.data.splits import read_split
from benchmark.errors import DamagedFile, StaleOutput
from benchmark.files import replacing, write_parquet, written_origin
from benchmark.results import records
from benchmark.study.prepare import prepare, split
from benchmark.workflow.verify import report, verify
from tests.pool import run_folder, split_file
from tests.project import environment


def flip(path):
    """Flip a bit near the beginning of a file: most of a small parquet file is metadata."""
    content = bytearray(path.read_bytes())
    content[min(len(content) // 3, 150)] ^= 1
    path.write_bytes(content)


def aside(path, why="damaged"):
    """Return whether a file has been set aside."""
    return not path.exists() and path.with_name(f"{path.name}.{why}").exists()


def test_a_flipped_bit_in_any_file_is_named_and_the_file_set_aside(project):
    study = project.study()
    # Five of the dataset, three and the record of Original, two splits that the study uses.
    assert verify(study) == (11, [])
    # The tables and all that they need are missing, which is no better than damage.
    text, is_intact = report(study)
    assert re.fullmatch(r"32 missing, 11 intact\nmissing: .* and 27 more", text) and not is_intact
    run, data = run_folder(study, project.original), study.dataset_folder("digits")
    for path in (
        *(run / name for name in (paths.SAMPLES, paths.MODEL, paths.HISTORY, paths.RUN)),
        *(data / f"{name}.npy" for name in ("train_images", "test_labels")),
        data / store.PROVENANCE,
        split_file(study),
    ):
        intact = path.read_bytes()
        flip(path)
        counts, damaged, missing = report(study)[0].splitlines()
        assert counts.startswith("1 damaged, ") and missing.startswith("missing: ")
        assert damaged.startswith(str(path)) and damaged.endswith(f" set aside as {path}.damaged: run snakemake again")
        assert aside(path), path
        path.write_bytes(intact)
    assert verify(study) == (11, [])


def test_a_receipt_that_is_being_written_is_left_alone(project):
    study = project.study()
    path = paths.receipt("tiny", "table2", "12345678")
    with replacing(path) as temporary:
        assert verify(study) == (11, []) and temporary.exists()
    assert path.exists()


def test_the_split_of_every_trial_is_verified_and_another_seed_has_another_file(project):
    study = project.study({"trials": 2, "resample": ["split"]})
    path = split(study, "digits", "random-10", 1)
    flip(path)
    (problem,) = verify(study)[1]
    assert str(path) in problem and "/trial-1-" in problem
    before, other = split_file(study), project.study({"seed": 2})
    assert split_file(other) != before and before.exists() and verify(other)[1] == []


def test_a_record_of_another_run_or_split_is_named_and_set_aside(project):
    study = project.study()
    path = run_folder(study, project.name("ft")) / paths.RUN
    path.parent.mkdir(parents=True)
    path.write_bytes((run_folder(study, project.original) / paths.RUN).read_bytes())
    with pytest.raises(DamagedFile, match="it is of another configuration"):
        records.record(study, study.run(project.name("ft")))
    assert path.exists() and len(verify(study)[1]) == 1 and aside(path)
    run = study.run(project.name("ft"))
    project.run(study, str(run.name))
    file, path = split_file(study), run_folder(study, run) / paths.RUN
    write_parquet(file, read_split(file).iloc[:-1], written_origin(file))
    with pytest.raises(StaleOutput, match="made from other split"):
        records.record(study, run)
    assert path.exists() and len(verify(study)[1]) == 1 and aside(path.parent, "other")
    samples = path.parent.with_name(f"{path.parent.name}.other") / paths.SAMPLES
    first = samples.read_bytes()  # a finished run: it is kept whole, however often this happens
    project.run(study, str(run.name))
    write_parquet(file, read_split(file).iloc[:-1], written_origin(file))
    assert len(verify(study)[1]) == 1 and aside(path.parent, "other-2") and samples.read_bytes() == first


def test_a_full_disk_is_one_line_and_leaves_no_file_half_written(project):
    study, name = project.study(), project.name("ft")
    variables = {name: value for name, value in environment().items() if not name.startswith("COVERAGE")}  # writes too
    for limit in (100, 20_000):
        full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
        done = project.command("run", "tiny", name, preexec_fn=full, env=variables)
        if done.returncode:
            assert done.returncode == 3 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
            assert "File too large" in done.stderr
        files = {path.name for path in run_folder(study, name).glob("*")}
        assert (paths.RUN in files) == (done.returncode == 0) and not list(run_folder(study, name).glob(".*"))
        assert limit > 100 or done.returncode


def test_what_was_made_from_other_images_is_named_and_set_aside(project):
    folder = project.root / "mine"
    for part, shades in (("train", range(0, 240, 6)), ("test", range(3, 240, 12))):
        for label in ("dark", "light"):
            (folder / part / label).mkdir(parents=True)
        for shade in shades:
            Image.new("L", (8, 8), shade).save(folder / part / ("dark" if shade < 120 else "light") / f"{shade}.png")
    change = {
        "trials": 1,
        "members": "random",
        "datasets": {"mine": {"source": "folder", "path": str(folder), "size": 8}},
        "tables": {"table2": {"cells": ["mine/convnet/random-10"], "methods": ["ft"]}, "table8": None},
    }
    study = project.study(change)
    prepare(study, "mine")
    drawn = split(study, "mine", "random-10", 0)
    original = study.run("mine/convnet/original/trial-0")
    project.run(study, str(original.name))
    before = records.record(study, original)["stamp"]["data"]

    # The folder's name stays, and so the study does; its content changes.
    (folder / "train" / "dark" / "0.png").unlink()
    prepare(study, "mine")
    path = run_folder(study, original) / paths.RUN
    with pytest.raises(records.OtherData, match=f"made from other images \\({before}\\).*verify tiny.* sets it aside"):
        records.record(study, original)
    with pytest.raises(records.OtherData, match="drawn for other images"):
        records.forget_rows(study, original, "random-10")
    assert path.exists() and drawn.exists()
    assert len(verify(study)[1]) == 2 and aside(path.parent, "other") and aside(drawn, "other")
    project.run(study, str(original.name))
    assert records.record(study, original)["stamp"]["data"] != before
