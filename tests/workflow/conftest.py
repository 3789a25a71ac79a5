"""A study whose every file is there, though nothing was trained: what a dry run plans depends on names and ages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark import paths
from benchmark.files import write_json
from benchmark.study.prepare import prepare
from benchmark.study.study import Study
from benchmark.workflow.targets import Workflow

MAPS = {"kind": "maps", "cells": ["digits/convnet/class-8", "digits/convnet/random-10"]}
GAPS = {"kind": "unlearning", "cells": ["digits/convnet/random-10"]}

# One trial. Tables 2 and 8 show CoUn, Table 9 does not; of the maps only Figure 3 does.
SHOWN: dict[str, Any] = {
    "trials": 1,
    "tables": {
        "table2": {**GAPS, "methods": ["ft", "salun", "coun"]},
        "table8": {**GAPS, "cells": ["digits/convnet/class-8"], "methods": ["coun", "coun@tau=0.2"]},
        "table9": {**GAPS, "methods": ["neggrad-plus", "neggrad-plus+cl"]},
        "hyperparameters": {**GAPS, "kind": "hyperparameters", "methods": ["retrain", "coun"]},
    },
    "figures": {
        "figure1": {**MAPS, "methods": ["retrain"]},
        "figure3": {**MAPS, "methods": ["ft", "coun"]},
        "figure4": {"kind": "improvement", "cells": ["digits/convnet/random-10"], "methods": ["neggrad-plus"]},
        "figure11": {**MAPS, "methods": ["original"]},
    },
}


@pytest.fixture
def shown() -> dict[str, Any]:
    return SHOWN


@pytest.fixture
def fresh(empty):
    """The study, of which nothing has been run."""
    empty.add_workflow()
    empty.study(SHOWN)
    return empty


@pytest.fixture(scope="session")
def touched(tmp_path_factory: pytest.TempPathFactory, project_at: Callable[[Path], Any]) -> Path:
    """Every file of the study, but for data and records empty, and Snakemake's word that it made them."""
    root = tmp_path_factory.mktemp("touched")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        project = project_at(root)
        project.add_workflow()
        study = project.study(SHOWN)
        prepare(study, "digits")
        for file in every_file(study):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        for run in study.runs():
            write_json(paths.run("tiny", run.name) / paths.RUN, {"fingerprint": run.fingerprint, "slice": run.slice})
        project.snakemake("all", "--touch", "--forceall", "--config", "study=tiny", check=True)
    return root


@pytest.fixture
def finished(touched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project_at: Callable[[Path], Any]):
    """A copy of the finished study, as the working directory."""
    root = tmp_path / "finished"
    shutil.copytree(touched, root)
    monkeypatch.chdir(root)
    return project_at(root)


@pytest.fixture
def planned():
    """What a dry run of a target would do: for each rule, the first output of each of its jobs."""

    def plan(project, *target: str) -> dict[str, set[str]]:
        done = project.snakemake(*target, "--dry-run", "--config", "study=tiny", check=True)
        told = done.stdout + done.stderr
        jobs: dict[str, set[str]] = {}
        for rule, body in re.findall(r"^(?:local)?rule (\S+):\n((?:    .*\n)+)", told, re.MULTILINE):
            output = re.search(r"^    output: ([^,\n]+)", body, re.MULTILINE)
            jobs.setdefault(rule, set()).add(output[1] if output else "")
        assert bool(jobs) != ("Nothing to be done" in told), told
        return {rule: files for rule, files in jobs.items() if files != {""}}

    return plan


def every_file(study: Study) -> list[Path]:
    """All files of a finished study; inputs before what is made from them."""
    workflow = Workflow(study)
    files = [workflow.dataset_file(name) for name in study.datasets]
    for run in study.runs():
        files += workflow.inputs_of(str(run.name)) + workflow.run_files(run.name)
        files += [paths.run(study.name, run.name) / paths.MODEL] if run.name in study.kept else []
    files += workflow.gathered
    files += [file for name in study.outputs for file in workflow.files_of(name)]
    return list(dict.fromkeys([*files, *workflow.collected, paths.page(study.name)]))
