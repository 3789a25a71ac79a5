"""The README's cost table is what the command prints; tests/docs checks its commands and examples."""

import re
from pathlib import Path

import pytest

from benchmark import paths
from benchmark.study import Study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("output", ["table6", "table8", "figure6"])
def test_the_cost_table_of_the_readme_is_what_the_command_prints(output, monkeypatch):
    from benchmark.cost import run_cost

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(paths, "LOCAL_DATASETS", Path("no such file"))  # what this machine has instead
    shown = re.search(rf"^\| {output} \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", README, re.MULTILINE)
    assert shown, output
    study = Study.load("paper")
    costs = [run_cost(study, run) for run in study.runs([output])]
    paper, executed = (sum(column) for column in zip(*costs, strict=True))
    hours = executed * 1e15 / 80e12 / 3600
    assert list(shown.groups()) == [str(len(costs)), *(f"{value:.1f}" for value in (paper, executed, hours))]
