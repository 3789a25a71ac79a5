"""What the README shows: its example of a method runs, and its cost table is what the command prints."""

import re
from pathlib import Path

import pandas as pd
import pytest

from benchmark.study import Study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def example(name: str) -> str:
    """The fenced block behind the marker ``<!-- example: name -->``."""
    found = re.search(rf"<!-- example: {re.escape(name)} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, name
    return found[1]


@pytest.mark.slow
def test_the_method_of_the_readme_runs_through_the_workflow(project):
    # The README's study extends quick; here it extends the tests' small one, and shows a cell of that.
    project.add_workflow()
    project.study({"trials": 1})
    (project.root / "my_methods.py").write_text(example("my_methods.py"))
    study = example("config/mine.yaml").replace("extends: quick", "extends: tiny").replace("random-50", "random-10")
    (project.root / "config" / "mine.yaml").write_text(study)
    project.snakemake("mine", "--config", "study=mine", check=True)
    table = pd.read_csv(project.root / "paper_tables" / "mine" / "mine.csv")
    assert {"shrink", "shrink+cl", "shrink@factor=0.8"} <= set(table["method"])
    assert table["avg_gap"].notna().all()


@pytest.mark.parametrize("output", ["table6", "table8", "figure6"])
def test_the_cost_table_of_the_readme_is_what_the_command_prints(output, monkeypatch):
    from benchmark.cost import run_cost

    monkeypatch.chdir(ROOT)
    shown = re.search(rf"^\| {output} \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", README, re.MULTILINE)
    assert shown, output
    study = Study.load("paper")
    costs = [run_cost(study, run) for run in study.runs([output])]
    paper, executed = (sum(column) for column in zip(*costs, strict=True))
    hours = executed * 1e15 / 80e12 / 3600
    assert list(shown.groups()) == [str(len(costs)), *(f"{value:.1f}" for value in (paper, executed, hours))]
