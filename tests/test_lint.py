"""The code's form: linter, formatters and type checker, with the settings of pyproject.toml, and listed mutations."""

import shutil
import subprocess
import sys

import pytest

from tests.mutations import MUTATIONS, ROOT, mutated

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


def test_every_listed_mutation_applies_to_this_code(tmp_path):
    shutil.copytree(ROOT / "benchmark", tmp_path / "benchmark")
    for mutation in MUTATIONS:
        assert (ROOT / "tests" / mutation.tests).is_file()
        before = mutated(tmp_path, mutation)
        (tmp_path / "benchmark" / mutation.file).write_text(before, encoding="utf-8")
