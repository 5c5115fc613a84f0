"""Memory that is freed stays with the process, for the next tensor of its size."""

from __future__ import annotations

import ctypes

MIB = 1 << 20
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt(3)


def keep_freed_memory() -> None:
    """Lets the heap serve blocks of up to 32 MiB and keep 256 MiB of what is free at its end.

    By its own rules glibc returns large blocks to the system as soon as they are freed, and each
    new one is paid for with page faults: generation, whose caches grow with every token, loses much
    of its time. Without glibc nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    # 32 MiB is the most that every release takes; the second setting alone would make things worse.
    if mallopt is not None and mallopt(MMAP_THRESHOLD, 32 * MIB):
        mallopt(TRIM_THRESHOLD, 256 * MIB)
