"""The processors of this machine."""

from __future__ import annotations

import os


def cores() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_here(wanted: int) -> int:
    """`wanted` threads, but at most one per processor: a cluster node may have fewer processors
    than the machine that counted them.
    """
    return min(wanted, cores())
