"""Assigns GPUs to the processes that this process starts."""

from __future__ import annotations

import os


def shown(count: int) -> list[str]:
    """The first `count` GPUs of this process, by their names in CUDA_VISIBLE_DEVICES."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return named.split(",")[:count] if named else [str(gpu) for gpu in range(count)]


def shares(workers: int, count: int) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each worker: the GPUs are divided as evenly as possible, and workers
    share one if they outnumber the GPUs; empty strings without GPUs.
    """
    gpus = shown(count)
    if not gpus:
        return [""] * workers
    bounds = [len(gpus) * worker // workers for worker in range(workers + 1)]
    return [
        ",".join(gpus[bounds[worker] : bounds[worker + 1]]) or gpus[bounds[worker]]
        for worker in range(workers)
    ]
