"""What a command says where it may not write or read: one line, status 1, and everything that was there still is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import environment
from tests.places import run_folder

# The superuser is asked for nothing unless it gives these rights up.
RIGHTS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


def command(*arguments):
    return subprocess.run(
        [*RIGHTS, sys.executable, "-m", "benchmark", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
    )


@pytest.fixture
def forbid(tmp_path):
    if RIGHTS:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv to give up the superuser's rights")
        folder = tmp_path / "try"
        folder.mkdir(mode=0o500)
        given_up = subprocess.run([*RIGHTS, "true"], capture_output=True).returncode == 0
        if not given_up or subprocess.run([*RIGHTS, "touch", str(folder / "x")], capture_output=True).returncode == 0:
            pytest.skip("this system does not let the superuser give up its rights")
    changed = []

    def change(path, mode):
        changed.append((path, path.stat().st_mode))
        path.chmod(mode)

    yield change
    for path, mode in reversed(changed):
        path.chmod(mode)


def files():
    return {path: path.read_bytes() for folder in ("results", "data") for path in Path(folder).rglob("*.*")}


@pytest.mark.parametrize("folder", ["results/tiny/work/digits/convnet", "results/tiny/runs/digits/convnet"])
def test_a_folder_that_is_read_only_is_named(project, forbid, folder):
    project.study()
    Path(folder).mkdir(parents=True, exist_ok=True)
    before = files()
    forbid(Path(folder), 0o555)
    done = command("run", "tiny", project.name("ft"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("error: Permission denied: ") and folder in done.stderr
    assert "epoch" not in done.stdout  # before any training
    assert {path: content for path, content in files().items() if "work" not in path.parts} == before


@pytest.mark.parametrize(
    "file", ["config/tiny.yaml", "results/tiny/splits/digits/random-10/trial-0.parquet", "train_images.npy"]
)
def test_a_file_that_may_not_be_read_is_named_and_left_where_it_is(project, forbid, file):
    study = project.study()
    path = study.dataset_folder("digits") / file if file.endswith(".npy") else Path(file)
    forbid(path, 0o000)
    done = command("run", "tiny", project.name("ft"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("error: Permission denied: ") and str(path) in done.stderr
    assert path.exists() and not run_folder("tiny", project.name("ft")).exists()
