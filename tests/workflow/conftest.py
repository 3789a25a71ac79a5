"""Two finished studies to plan on: one whose files are only laid out, one that Snakemake has really run."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark import paths
from benchmark.files import write_json
from benchmark.study.prepare import prepare
from benchmark.workflow.targets import StudyFiles
from tests.pool import made_up_record
from tests.project import Project

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

# Really run: a diverged run, two maps, one of them of an unlearned model, and all that is gathered.
RUN: dict[str, Any] = {
    "trials": 1,
    "map_samples": 100,
    "hyperparameters": {"*": {"training": {"epochs": 2}, "unlearning": {"epochs": 1}}},
    "tables": {
        "table2": {**GAPS, "methods": ["original", "ft", "coun", "salun@lr=1e+30"]},
        "table5": {**GAPS, "kind": "predictions", "methods": ["ft"], "classes": ["8", "1"]},
        "table8": None,
    },
    "figures": {
        "figure1": {**MAPS, "cells": ["digits/convnet/random-10"], "methods": ["retrain", "ft"]},
        "figure4": {**GAPS, "kind": "improvement", "methods": ["ft"]},
    },
}


@pytest.fixture
def fresh(empty):
    """A project with the study, of which nothing has been run."""
    empty.add_workflow()
    empty.study(SHOWN)
    return empty


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file of the study, empty except for data and records: plans depend on names alone."""
    root = tmp_path_factory.mktemp("laid-out")
    with contextlib.chdir(root):
        project = Project(root)
        project.add_workflow()
        study = project.study(SHOWN)
        prepare(study, "digits")
        files = StudyFiles(study).all
        files += [paths.run(run.pool_path) / name for run in study.runs() for name in (paths.SAMPLES, paths.HISTORY)]
        files += [paths.run(run.pool_path) / paths.MODEL for run in study.runs() if run.name in study.runs_with_weights]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        for run in study.runs():
            write_json(paths.run(run.pool_path) / paths.RUN, made_up_record(run))
    return root


@pytest.fixture(scope="session")
def really_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study after a real ``snakemake all``."""
    root = tmp_path_factory.mktemp("run")
    with contextlib.chdir(root):
        project = Project(root)
        project.add_workflow()
        project.study(RUN)
        project.snakemake("all", check=True)
    return root


@pytest.fixture
def finished(laid_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the study that is laid out, as the working directory."""
    return Project.copied(laid_out, tmp_path / "finished", monkeypatch)


@pytest.fixture
def ended(really_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the study that was really run, as the working directory."""
    return Project.copied(really_run, tmp_path / "ended", monkeypatch)


def jobs_of(printed: str) -> Iterator[tuple[str, str]]:
    """Yield the rule of each job that a dry run has printed, and its description."""
    yield from re.findall(r"^(?:local)?rule (\S+):\n((?:    .*\n)+)", printed, re.MULTILINE)


def planned(project: Project, *targets: str, **config: str) -> dict[str, set[str]]:
    """Return what a dry run of some targets plans: for each rule, the first output of each of its jobs."""
    printed = project.snakemake(*targets, "--dry-run", check=True, **config).stdout
    jobs: dict[str, set[str]] = {}
    for rule, body in jobs_of(printed):
        output = re.search(r"^    output: ([^,\s]+)", body, re.MULTILINE)
        jobs.setdefault(rule, set()).add(output[1] if output else "")
    assert bool(jobs) != ("Nothing to be done" in printed), printed
    return {rule: files for rule, files in jobs.items() if files != {""}}
