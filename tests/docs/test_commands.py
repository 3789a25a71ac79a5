"""Every command of the README and the manual: run in a miniature of the quick study, or at least spelled right.

A command that cannot run here says what it needs in a comment before its block, ``<!-- needs: a GPU -->``.
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
import yaml
from snakemake.cli import parse_args

from benchmark.__main__ import app
from benchmark.study.reading import validated
from benchmark.study.study import Study
from benchmark.workflow.resources import Options
from tests.docs.pages import PAGES, ROOT, Command, blocks, commands, examples, prose
from tests.docs.timed import CLONE, PAGE, TRANSCRIPT, steps, transcript
from tests.forked import serve, snakemake
from tests.project import STUDY, call

RANDOM, HALF, CLASS = (f"digits/convnet/{scenario}" for scenario in ("random-10", "random-50", "class-8"))

# What the pages' commands name, just large enough to make every kind of file.
MINIATURE = STUDY | {
    "trials": 1,
    "map_samples": 60,
    "view_pairs": 1,
    "relearning": {"steps": 2},
    "tables": {
        "table2": {"kind": "unlearning", "cells": [RANDOM], "methods": ["original", "ft", "coun"]},
        "table4": {"kind": "distances", "cells": [CLASS], "methods": ["retrain"], "classes": ["8", "1"]},
        "theory": {"kind": "theory", "cells": [RANDOM], "methods": ["retrain"]},
        "again": {"kind": "relearning", "cells": [CLASS], "methods": ["retrain"]},
        "claims": {"kind": "claims"},
    },
    "figures": {
        "figure1": {"kind": "maps", "cells": [RANDOM], "methods": ["retrain"]},
        "figure5": {"kind": "cost", "cells": [HALF], "methods": ["coun"]},
    },
}

# Already installed when the tests run, and commands that other tests run.
INSTALLED = r"python3 -m venv \.venv|\. \.venv/bin/activate|pip install -e (\.|'\.\[[a-z,]+\]')"
ELSEWHERE = {
    "python -m pytest": "this very run",
    "python -m pytest tests/test_names.py": "a part of it",
    "sphinx-build -W --keep-going -b html docs build/docs": "tests/docs/test_manual.py",
}

COMMANDS = list(commands())
# A command that two pages show is run once.
RUNNABLE = {command.text: command for command in COMMANDS if not command.needs and command.text not in ELSEWHERE}
RUN = [command for text, command in RUNNABLE.items() if not re.fullmatch(INSTALLED, text)]
MARKED = list({command.text: command for command in COMMANDS if command.needs}.values())


def execute(text: str, root: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder ``root``, as if this environment were activated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        if text.startswith("python -m benchmark "):
            return call(*shlex.split(text)[3:])
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patch.delenv("PYTHONPATH", raising=False)
        if text.startswith("snakemake "):
            return snakemake(shlex.split(text)[1:], root, dict(os.environ))
        arguments = ["bash", "-euo", "pipefail", "-c", text]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project whose quick study is small, with the examples of the pages and a folder of images."""
    root = tmp_path_factory.mktemp("miniature")
    for name in ("Snakefile", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    for name in ("rules", "profiles", "config", "paper_tables/reported"):
        # A machine's own settings of its datasets are no part of the project.
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("local"))
    for name in ("benchmark", "tests"):
        (root / name).symlink_to(ROOT / name)
    (root / "config" / "quick.yaml").write_text(yaml.safe_dump(MINIATURE, sort_keys=False))
    for name, text in examples().items():  # the tutorial's study, as short as it can be
        (root / name).write_text(text.replace("trials: 2", "trials: 1").replace("epochs: 10,", "epochs: 2,"))
    _draw_images(root / "my_images")
    return root


def _draw_images(folder: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for split, count in (("train", 40), ("test", 20)):
        for shade, label in enumerate(("dark", "light")):
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(128 * shade, 128 * shade + 128, (16, 16), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / label / f"{number}.png")


@pytest.fixture(scope="module")
def failures(miniature: Path) -> dict[str, str]:
    """Run every command in the order of the pages and return the errors, by command. Empty if all succeeded."""
    serve()
    errors = {}
    for command in RUN:
        ended = execute(command.text, miniature)
        if ended.returncode:
            errors[f"{command.page}: {command.text}"] = (ended.stdout + ended.stderr)[-3000:]
    return errors


@pytest.mark.slow
def test_every_command_that_is_not_marked_runs(failures: dict[str, str]) -> None:
    hint = "a command that a test cannot run needs <!-- needs: what --> on the line before its block"
    assert not failures, "\n\n".join([*(f"{command}\n{error}" for command, error in failures.items()), hint])


@pytest.mark.slow
def test_the_methods_that_the_examples_add_are_measured(failures, miniature: Path) -> None:
    for table, methods in {
        "mine/mine": {"retrain", "ft", "coun", "shrink", "shrink+cl", "shrink@factor=0.8"},
        "ascent/ascent": {"retrain", "ft", "ascent", "ascent@bound=4"},
        "stripes/stripes": {"retrain", "ft", "not"},
        "own/mine": {"retrain", "ft", "coun"},
    }.items():
        rows = pd.read_csv(miniature / "paper_tables" / f"{table}.csv")
        assert set(rows["method"]) == methods and rows["avg_gap"].notna().all(), table


@pytest.mark.parametrize("command", MARKED, ids=lambda command: command.text)
def test_a_marked_command_is_spelled_right(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(command.text)
    while re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        del words[0]
    if words[:3] == ["python", "-m", "benchmark"]:
        parse(words[3:])
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]), words[2]
    elif words[0] in ("snakemake", "timeout"):
        words = words[words.index("snakemake") :]
        if "--profile" in words and importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
            position = words.index("--profile")
            assert (ROOT / words[position + 1]).is_dir()
            del words[position : position + 2]
        _, options = parse_args(words[1:])
        config = validated(Options, dict(setting.split("=") for setting in options.config), "--config")
        assert set(options.targets) <= {"all", "tune", *Study.load(config.study).outputs}
    elif not re.fullmatch(INSTALLED, command.text):
        files = [word for word in words if "/" in word or word.endswith((".py", ".yml"))]
        assert all((ROOT / word).exists() for word in files), command.text
        assert files or words[0] in ("conda", "unlearning-benchmark", "uv"), command.text


def parse(arguments: list[str]) -> None:
    """Parse arguments as ``python -m benchmark`` would, and do nothing."""
    group = typer.main.get_command(app)
    name = arguments[0] if arguments else "--help"
    if name != "--help" and not name.isupper():
        command = group.commands[name]  # type: ignore[attr-defined]
        if len(arguments) > 1:
            command.make_context(name, arguments[1:])


def test_a_command_within_a_sentence_exists() -> None:
    for page in PAGES:
        for text in re.findall(r"`python -m benchmark ?([^`]*)`", prose(page)):
            parse(shlex.split(text)[:1])


def test_every_block_has_a_known_language() -> None:
    languages = {block.language for page in PAGES for block in blocks(page)}
    assert languages <= {"bash", "python", "yaml", "text", "json"}
    for page in PAGES:
        fences = re.findall(r"^```", page.read_text(encoding="utf-8"), re.MULTILINE)
        toc = page.read_text(encoding="utf-8").count("```{toctree}")
        assert len(fences) == 2 * (len(blocks(page)) + toc), f"{page.name}: a block without a language"


def test_the_quick_start_has_two_commands_and_the_second_runs_the_tests() -> None:
    start = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Quick start\n\n```bash\n")[2]
    first, second = start.partition("```")[0].strip().splitlines()
    assert first.endswith("snakemake --cores 8 all") and second.endswith("python -m pytest")


def test_a_transcript_of_the_tutorial_has_all_steps_of_the_tutorial() -> None:
    written = transcript([90 + number for number in range(len(steps()) + 1)], "noise: A caption\n  Method  RA\n")
    committed = TRANSCRIPT.findall(PAGE.read_text(encoding="utf-8"))
    for text in (written, *committed):
        timed = re.findall(r"^ *\d+:\d\d  (.*)$", text, re.MULTILINE)
        assert timed == [CLONE, *steps(), "all commands"], "to update it: python -m tests.docs.timed"
    assert " 1:30  git clone\n" in written and "```text\nnoise: A caption\n  Method  RA\n```" in written


@pytest.mark.slow
def test_the_python_code_of_the_pages_runs(failures, miniature: Path) -> None:
    texts = [block.text for page in PAGES for block in blocks(page) if block.language == "python" and not block.mark]
    assert len(texts) >= 3
    for text in dict.fromkeys(texts):
        ended = execute(f"python -c {shlex.quote(text)}", miniature)
        assert ended.returncode == 0, text + ended.stderr


# The names of runs and of derived files end in a fingerprint, here a pattern.
FILES = {
    "metrics": "results/quick-metrics.parquet",
    "history": "results/quick-history.parquet",
    "predictions": "results/quick-predictions.parquet",
    "embeddings": "results/quick-embeddings.parquet",
    "audits": "results/quick-audits.parquet",
    "memorised": "results/cifar10-small-memorised.parquet",  # as committed: trials of quick forget the same
    "unlearning": "paper_tables/quick/table2.csv",
    "claims": "paper_tables/quick/claims.csv",
    "samples": f"results/runs/{RANDOM}/coun/trial-0-*/samples.parquet",
    "split": "results/splits/digits/class-8/trial-0-*.parquet",
    "distances": f"results/distances/{CLASS}/retrain/trial-0-*.parquet",
    "relearning": f"results/relearning/{CLASS}/retrain/trial-0-*.parquet",
    "views": f"results/views/{RANDOM}/retrain/trial-0-*.parquet",
}
TYPES = {
    "text": lambda column: all(isinstance(value, str) for value in column),
    "integer": pd.api.types.is_integer_dtype,
    "number": pd.api.types.is_float_dtype,
    "yes or no": pd.api.types.is_bool_dtype,
    "any": lambda column: True,
}


def dictionary() -> dict[str, dict[str, str]]:
    """Return the columns that docs/results.md describes and their types, by the name of the file's table."""
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    described: dict[str, dict[str, str]] = {}
    for name, rows in re.findall(r"<!-- columns: (\w+) -->\n((?:\|.*\n)+)", page):
        for row in rows.splitlines()[2:]:
            names, kind = row.split("|")[1:3]
            for column in re.findall(r"`([^`]+)`", names):
                assert column not in described.setdefault(name, {}), f"{name}: {column} is described twice"
                described[name][column] = kind.strip()
    return described


def test_the_dictionary_describes_every_file() -> None:
    assert set(dictionary()) == set(FILES)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_the_dictionary_describes_every_column_and_its_type(failures, miniature: Path, name: str) -> None:
    file = next((ROOT if name == "memorised" else miniature).glob(FILES[name]))
    frame = pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
    types = dictionary()[name]
    if types.pop("setting_*", None):
        frame = frame[[column for column in frame.columns if not column.startswith("setting_")]]
    assert len(frame) and types.keys() == set(frame.columns)
    for column, kind in types.items():
        assert TYPES[kind](frame[column]), f"{name}: {column} is {frame[column].dtype}, not {kind}"
