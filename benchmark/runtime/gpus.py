"""Which GPUs a process gets that this one starts."""

from __future__ import annotations

import os


def shown(count: int) -> list[str]:
    """The `count` GPUs of this process, as CUDA_VISIBLE_DEVICES calls them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return named.split(",")[:count] if named else [str(gpu) for gpu in range(count)]


def shares(workers: int, count: int) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each of several workers: the GPUs dealt out as evenly as they go, one
    shared by several workers where there are more of these; empty where there are no GPUs.
    """
    gpus = shown(count)
    if not gpus:
        return [""] * workers
    bounds = [len(gpus) * worker // workers for worker in range(workers + 1)]
    return [
        ",".join(gpus[bounds[worker] : bounds[worker + 1]]) or gpus[bounds[worker]]
        for worker in range(workers)
    ]
