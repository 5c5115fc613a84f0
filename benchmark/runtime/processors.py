"""The processors of this machine."""

from __future__ import annotations

import os


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_here(wanted: int) -> int:
    """As many threads as are wanted, no more than there are processors: a node of a cluster may
    have fewer than the machine that counted them.
    """
    return min(wanted, cores())
