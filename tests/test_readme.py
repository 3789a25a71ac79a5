"""The README's cost table is what the command prints; tests/docs checks its commands and examples."""

import re
from pathlib import Path

import pytest

from benchmark import paths
from benchmark.study.study import Study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("output", ["table6", "table8", "figure6"])
def test_the_cost_table_of_the_readme_is_what_the_command_prints(output, monkeypatch):
    from benchmark.workflow.cost import run_cost

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(paths, "LOCAL_DATASETS", Path("no such file"))  # what this machine has instead
    shown = re.search(rf"^\| {output} \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", README, re.MULTILINE)
    assert shown, output
    study = Study.load("paper")
    costs = [run_cost(study, run) for run in study.runs([output])]
    paper, executed = (sum(column) for column in zip(*costs, strict=True))
    hours = executed * 1e15 / 80e12 / 3600
    assert list(shown.groups()) == [str(len(costs)), *(f"{value:.1f}" for value in (paper, executed, hours))]


def test_the_cost_table_counts_the_runs_of_every_output(monkeypatch):
    monkeypatch.chdir(ROOT)
    study = Study.load("paper")
    outputs = [name for name in (*study.tables, *study.figures) if study.kind_of(name).results]
    expected = {name: len(study.runs([name])) for name in outputs} | {"all": len(study.runs())}
    table = README[README.index("<!-- python -m benchmark cost paper -->") :].split("<!-- end -->")[0]
    assert {name: int(runs) for name, runs in re.findall(r"^\| (\S+) \| (\d+) \|", table, re.MULTILINE)} == expected
