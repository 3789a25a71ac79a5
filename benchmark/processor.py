"""What the system says of this machine's processor."""

from __future__ import annotations

import contextlib
import platform
from functools import cache
from pathlib import Path


def name() -> str:
    """Return its name, with family and model: a virtual machine's name may be that of several kinds."""
    named = _told("model name") or platform.processor() or platform.machine()
    family, model = _told("cpu family"), _told("model")
    return f"{named} (family {family}, model {model})" if family and model else named


def has(*instructions: str) -> bool:
    """Return whether it has any of these sets of instructions, called as the Linux kernel calls them: ``amx_bf16``."""
    return any(flag in instructions for flag in _told("flags").split())


def _told(key: str) -> str:
    return _first().get(key, "")


@cache
def _first() -> dict[str, str]:
    """What the system says of its first processor; a large machine's file is long, and is read once."""
    with contextlib.suppress(OSError):
        first, _, _ = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")
        pairs = (line.partition(":") for line in first.splitlines())
        return {key.strip(): value.strip() for key, _, value in pairs}
    return {}
