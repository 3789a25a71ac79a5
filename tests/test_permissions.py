"""A command that may not write or read says so in one line, exits with status 1 and leaves every file as it was."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import paths
from tests.pool import run_folder, split_file
from tests.project import environment

# No permission stops the superuser unless it gives these rights up.
RIGHTS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
# Run FT again and again, each time with another file or folder that may not be used.
RUNS = """
import json, sys
from pathlib import Path
from tests.project import call

name, places = json.loads(sys.argv[1])
for place, mode in places.items():
    before = Path(place).stat().st_mode
    Path(place).chmod(mode)
    done = call("run", "tiny", name)
    Path(place).chmod(before)
    print(json.dumps([place, done.returncode, done.stdout, done.stderr]))
"""


@pytest.fixture
def without_rights(tmp_path):
    if RIGHTS:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv to give up the superuser's rights")
        folder = tmp_path / "try"
        folder.mkdir(mode=0o500)
        given_up = subprocess.run([*RIGHTS, "true"], capture_output=True).returncode == 0
        if not given_up or subprocess.run([*RIGHTS, "touch", str(folder / "x")], capture_output=True).returncode == 0:
            pytest.skip("this system does not let the superuser give up its rights")


def files():
    contents = {path: path.read_bytes() for folder in ("results", "data") for path in Path(folder).rglob("*.*")}
    return {path: content for path, content in contents.items() if "work" not in path.parts}


def test_a_path_without_permission_is_named_before_any_training_and_left_alone(project, without_rights):
    study, name = project.study(), project.name("ft")
    folders = [paths.work("digits/convnet"), paths.run("digits/convnet")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    unreadable = [paths.study_file("tiny"), split_file(study), study.dataset_folder("digits") / "train_images.npy"]
    modes = {str(path): 0o555 if path in folders else 0o000 for path in (*folders, *unreadable)}
    before = files()
    command = [*RIGHTS, sys.executable, "-c", RUNS, json.dumps([name, modes])]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert [place for place, *_ in runs] == list(modes)
    for place, status, printed, errors in runs:
        assert (status, errors.count("\n")) == (3, 1) and "epoch" not in printed, errors
        assert errors.startswith("error: Permission denied: ") and place in errors
    assert files() == before and not run_folder(study, name).exists()
