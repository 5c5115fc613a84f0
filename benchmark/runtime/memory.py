"""Keeps freed memory in the process, for the next tensor of that size."""

from __future__ import annotations

import ctypes

MIB = 1 << 20
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt(3)


def keep_freed_memory() -> None:
    """Lets the heap serve blocks of up to 32 MiB and keep up to 256 MiB of free memory at its end.

    By default glibc returns large blocks to the system as soon as they are freed, and each new one
    costs page faults: generation, whose caches grow with every token, loses much of its time to
    them. Does nothing without glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    # 32 MiB is the most that every release accepts; the second setting alone would make it worse.
    if mallopt is not None and mallopt(MMAP_THRESHOLD, 32 * MIB):
        mallopt(TRIM_THRESHOLD, 256 * MIB)
