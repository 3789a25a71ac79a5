"""What a command says where it may not write or read: one line, status 1, and everything that was there still is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import paths
from tests.places import run_folder, split_file
from tests.project import environment

# The superuser is asked for nothing unless it gives these rights up.
RIGHTS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


def run(name):
    command = [*RIGHTS, sys.executable, "-m", "benchmark", "run", "tiny", name]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("error: Permission denied: ")
    return done


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
    found = {path: path.read_bytes() for folder in ("results", "data") for path in Path(folder).rglob("*.*")}
    return {path: content for path, content in found.items() if "work" not in path.parts}


@pytest.mark.parametrize("folder", [paths.work("digits/convnet"), paths.run("digits/convnet")])
def test_a_folder_that_is_read_only_is_named(project, forbid, folder):
    project.study()
    folder.mkdir(parents=True, exist_ok=True)
    before = files()
    forbid(folder, 0o555)
    done = run(project.name("ft"))
    assert str(folder) in done.stderr and "epoch" not in done.stdout  # before any training
    assert files() == before


@pytest.mark.parametrize("file", ["study", "split", "images"])
def test_a_file_that_may_not_be_read_is_named_and_left_where_it_is(project, forbid, file):
    study = project.study()
    path = {
        "study": paths.study_file("tiny"),
        "split": split_file(study),
        "images": study.dataset_folder("digits") / "train_images.npy",
    }[file]
    forbid(path, 0o000)
    assert str(path) in run(project.name("ft")).stderr
    assert path.exists() and not run_folder(study, project.name("ft")).exists()
