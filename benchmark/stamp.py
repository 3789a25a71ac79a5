"""What made a result: the commit, the versions and the hardware, for every run and every row of the metrics."""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import os
import platform
import subprocess
from functools import cache
from pathlib import Path

import benchmark

# Tuned values are data: they stand with every run that they were used in.
CODE = ("benchmark", "config", ":(exclude)config/tuned", "rules", "Snakefile")
PACKAGES = ("torch", "torchvision", "numpy", "pandas", "scikit-learn", "vit-pytorch")
CPU_INFO = Path("/proc/cpuinfo")


@cache
def stamp() -> dict[str, str]:
    """Return versions and commit as flat texts."""
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {
        "commit": commit(),
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


def commit(*folders: str) -> str:
    """Return the commit that the code, and more ``folders``, are at, ``+`` if files differ from it; or ``unknown``."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *CODE, *folders)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()


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
