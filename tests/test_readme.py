"""The cost tables of the manual are what the command prints; tests/docs checks commands and examples."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmark import paths
from benchmark.study.study import Study
from benchmark.workflow.cost import cost
from tests.project import ROOT


@pytest.mark.parametrize("study", ["paper", "paper-block"])
def test_the_cost_table_of_the_manual_is_what_the_command_prints(study, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(paths, "LOCAL_DATASETS", Path("no such file"))  # what this machine has instead
    page = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
    table = page[page.index(f"<!-- python -m benchmark cost {study} -->") :].split("<!-- end -->")[0]
    rows = re.findall(r"^\| (\S+) \| (\d.*) \|$", table, re.MULTILINE)
    shown = {name: [float(value) for value in values.split("|")] for name, values in rows}
    printed = {name: values for name, *values in cost(Study.load(study), 80.0).itertuples(index=False)}
    assert shown == {name: pytest.approx(values, abs=0.051) for name, values in printed.items()}
