"""Memory that a step frees is kept for the next one: a step that asks the system for it anew takes a tenth longer."""

from __future__ import annotations

import ctypes
import os

# From glibc's malloc.h.
TRIM_THRESHOLD = -1
MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, and return whether its C library can be told so.

    By default glibc gives every tensor of more than 32 MiB back to the system at once. The next step then has the same
    pages mapped and zeroed again, one by one. The process stays as large as it has been at its largest. No number that
    is computed depends on this.
    """
    if os.name != "posix":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, -1))
