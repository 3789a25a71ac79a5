"""Memory that a step frees is kept for the next one: asking the system for it again makes a step a tenth slower."""

from __future__ import annotations

import ctypes
import os

# From glibc's malloc.h.
TRIM_THRESHOLD = -1
MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees; return whether its C library can.

    By default glibc returns every tensor of more than 32 MiB to the system at once, and the next step has the same
    pages mapped and zeroed again, one by one. The process stays as large as it was at its largest. No result depends on
    this.
    """
    if os.name != "posix":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, -1))
