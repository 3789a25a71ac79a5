"""What made a result: the commit, the code, the versions and the hardware, for every run and row of the metrics."""

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
# What a run's numbers come from: the modules of these rooms, without the rooms within them.
COMPUTES = ("data", "methods", "metrics", "models", "training")
CODE = ("benchmark", "rules", "Snakefile")
# Tuned values are data: they stand with every run that they were used in, and so does what an own study says.
STUDIES = ("config", ":(exclude)config/tuned")
PACKAGES = ("torch", "torchvision", "numpy", "pandas", "scikit-learn", "vit-pytorch")
CPU_INFO = Path("/proc/cpuinfo")


@cache
def stamp(*more: Path) -> dict[str, str]:
    """Return versions and `commit`, of the package and ``more`` files, as flat texts."""
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {
        "commit": commit(*more),
        "code": code(),
        "version": benchmark.__version__,
        "python": platform.python_version(),
        **{package.replace("-", "_"): version for package, version in versions.items()},
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
    }


def joined(before: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    """Return the stamp of what two calls made one after the other: where they differ, both values."""
    return {
        key: " and ".join(dict.fromkeys([*before.get(key, value).split(" and "), value])) for key, value in now.items()
    }


@cache
def code() -> str:
    """Return `source_digest` of all in the package that can move a run's numbers."""
    return source_digest([PACKAGE / "seeds.py", *(file for room in COMPUTES for file in (PACKAGE / room).glob("*.py"))])


def source_digest(files: Iterable[Path]) -> str:
    """Return 16 hexadecimal digits of Python files: equal where only comments, docstrings, layout or Python differ."""
    return digest([[*_tokens(file.read_text(encoding="utf-8"))] for file in sorted(files)])


def _tokens(source: str) -> Iterator[str]:
    """Yield the tokens of a source text, an f-string as it is written: since Python 3.12 it is several tokens."""
    lines, nested, begins, held, first = source.split("\n"), 0, (0, 0), "", True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind, text = tokenize.tok_name[token.type], token.string
        if kind.endswith("STRING_START"):
            begins = begins if nested else token.start
            nested += 1
        if nested:
            nested -= kind.endswith("STRING_END")
            if nested or not kind.endswith("STRING_END"):
                continue
            (row, column), (last, end) = begins, token.end
            text = "\n".join([*lines[row - 1 : last - 1], lines[last - 1][:end]])[column:]
        elif kind in ("COMMENT", "NL", "ENDMARKER"):
            continue
        elif kind in ("NEWLINE", "INDENT", "DEDENT"):
            text = kind
        if held and kind != "NEWLINE":  # or else it was a docstring
            yield held
        held = text if first and text.lstrip("rRuU")[:1] in ("'", '"') else ""
        first = kind in ("NEWLINE", "INDENT", "DEDENT")
        if not held:
            yield text


def commit(*more: str | Path) -> str:
    """Return the commit that the package is at; ``unknown`` where it is no part of a git repository.

    A ``+`` follows if the code, or any of ``more`` files and folders beside it, differs or has never been committed, or
    if a committed study differs.
    """
    try:
        _git("ls-files", "--error-unmatch", "benchmark/__init__.py")
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=all", "--", *CODE, *map(str, more))
        changed += _git("status", "--porcelain", "--untracked-files=no", "--", *STUDIES)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + "+" * bool(changed)


def _git(*arguments: str) -> str:
    """Ask git about the package's own folder: where Python runs may be another repository."""
    root = PACKAGE.parent
    return subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def processor_name() -> str:
    """Return the processor's name, with family and model: a virtual machine's name may be that of several kinds."""
    facts = _processor()
    name = facts.get("model name") or platform.processor() or platform.machine()
    family, model = facts.get("cpu family"), facts.get("model")
    return f"{name} (family {family}, model {model})" if family and model else name


def processor_has(*instructions: str) -> bool:
    """Return whether it has any of these sets of instructions, called as the Linux kernel calls them: ``amx_bf16``."""
    return not set(instructions).isdisjoint(_processor().get("flags", "").split())


def _processor() -> dict[str, str]:
    """Return what Linux says of the first processor. A large machine's file is long: no more of it is read."""
    with contextlib.suppress(OSError), CPU_INFO.open(encoding="utf-8") as lines:
        facts = (line.partition(":") for line in itertools.takewhile(str.strip, lines))
        return {key.strip(): value.strip() for key, _, value in facts}
    return {}
