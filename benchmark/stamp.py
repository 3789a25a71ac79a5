"""The stamp of every run and row of metrics: commit, code, versions and hardware."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import itertools
import os
import platform
import subprocess
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import benchmark
from benchmark.files import digest

PACKAGE = Path(benchmark.__file__).parent
# What computes a run's numbers: of the metrics, those that a job uses.
MEASURES = ("metrics/__init__.py", "metrics/samples.py", "metrics/mia.py", "metrics/samplewise/margins.py")
PREDICTIONS = "results/predictions.py"  # made elsewhere
COMPUTES = ("seeds.py", "data/*.py", "methods/*.py", "models/*.py", "training/*.py", PREDICTIONS, *MEASURES)
CODE = ("benchmark", "rules", "Snakefile")
# Tuned values are data: every run records those that it used, and all settings of a user's own study.
STUDIES = ("config", ":(exclude)config/tuned")
PACKAGES = ("torch", "torchvision", "numpy", "pandas", "scikit-learn", "vit-pytorch")
CPU_INFO = Path("/proc/cpuinfo")


@cache
def stamp(*files: Path) -> dict[str, str]:
    """Return versions, system and `commit`, of the package and further ``files``, as a flat mapping of texts."""
    return {
        "commit": commit(*files),
        "code": code(),
        "version": benchmark.__version__,
        "python": platform.python_version(),
        **{package.replace("-", "_"): importlib.metadata.version(package) for package in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
    }


def joined(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Return the stamp of a result that two successive calls made: where their stamps differ, both values."""
    return {
        key: " and ".join(dict.fromkeys([*old.get(key, value).split(" and "), value])) for key, value in new.items()
    }


@cache
def code() -> str:
    """Return `source_digest` of every module that can change a run's numbers."""
    return source_digest(file for pattern in COMPUTES for file in PACKAGE.glob(pattern))


def source_digest(files: Iterable[Path]) -> str:
    """Return 16 hexadecimal digits of Python files, whatever their comments, docstrings, layout and Python version."""
    return digest([[*_tokens(file.read_text(encoding="utf-8"))] for file in sorted(files)])


def _tokens(source: str) -> Iterator[str]:
    """Yield the tokens of a source text, each f-string as one: since Python 3.12 it is several tokens."""
    lines, depth, start, possible_docstring, begins_line = source.split("\n"), 0, (0, 0), "", True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind, text = tokenize.tok_name[token.type], token.string
        if kind.endswith("STRING_START"):
            start = start if depth else token.start
            depth += 1
        if depth:
            depth -= kind.endswith("STRING_END")
            if depth or not kind.endswith("STRING_END"):
                continue
            (row, column), (last_row, end) = start, token.end
            text = "\n".join([*lines[row - 1 : last_row - 1], lines[last_row - 1][:end]])[column:]
        elif kind in ("COMMENT", "NL", "ENDMARKER"):
            continue
        elif kind in ("NEWLINE", "INDENT", "DEDENT"):
            text = kind
        if possible_docstring and kind != "NEWLINE":  # a docstring is a line of its own
            yield possible_docstring
        possible_docstring = text if begins_line and text.lstrip("rRuU")[:1] in ("'", '"') else ""
        begins_line = kind in ("NEWLINE", "INDENT", "DEDENT")
        if not possible_docstring:
            yield text


def commit(*paths: str | Path) -> str:
    """Return the package's commit; ``unknown`` where it is not part of a git repository.

    A ``+`` follows if the code or any of the further ``paths`` differs or was never committed, or if a committed study
    differs.
    """
    head = package_commit()
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *STUDIES)
        if paths:
            changed += _uncommitted(*map(str, paths))
        return head + "+" * (bool(changed) and not head.endswith("+"))
    return head


@cache
def package_commit() -> str:
    """Return the commit of the package as this process first asked, with ``+`` if its code differs from that.

    A process asks as it begins, since the code on disk may be another by the time it is done; see also `code`.
    """
    try:
        _git("ls-files", "--error-unmatch", "benchmark/__init__.py")
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + "+" * bool(_uncommitted(*CODE))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _uncommitted(*paths: str) -> str:
    return _git("status", "--porcelain", "--untracked-files=all", "--", *paths)


def _git(*arguments: str) -> str:
    """Ask git about the package's folder: Python may run in another repository."""
    root = PACKAGE.parent  # without locks, since a lock of ours would make the user's own git commands fail
    return subprocess.run(
        ["git", "--no-optional-locks", "-C", str(root), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def processor_name() -> str:
    """Return the processor's name, with family and model: on virtual machines several kinds may share a name."""
    facts = _processor()
    name = facts.get("model name") or platform.processor() or platform.machine()
    family, model = facts.get("cpu family"), facts.get("model")
    return f"{name} (family {family}, model {model})" if family and model else name


def instruction_sets() -> set[str]:
    """Return the processor's instruction sets by the Linux kernel's names, such as ``amx_bf16``; elsewhere none."""
    return set(_processor().get("flags", "").split())


def _processor() -> dict[str, str]:
    """Return what Linux reports of the first processor, without reading the rest: on large machines it is long."""
    with contextlib.suppress(OSError), CPU_INFO.open(encoding="utf-8") as lines:
        facts = (line.partition(":") for line in itertools.takewhile(str.strip, lines))
        return {key.strip(): value.strip() for key, _, value in facts}
    return {}
