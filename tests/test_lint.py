"""The code's form: linter, formatters and type checker, with the settings of pyproject.toml."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ["bench", "benchmark", "docs", "tests"]  # not a user's own files beside them
CHECKS = {
    "ruff": ["ruff", "check", *OURS],
    "ruff format": ["ruff", "format", "--check", *OURS],
    "mypy": ["mypy"],
    "snakefmt": ["snakefmt", "--check", "--line-length", "120", "Snakefile", "rules"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_code_passes(check):
    done = subprocess.run([sys.executable, "-m", *CHECKS[check]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
