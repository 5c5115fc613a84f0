"""Distribution of work over a few processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from threadpoolctl import threadpool_limits

from benchmark.runtime.processors import cores

MOST = 4  # processes, which need a few hundred MB each
FEW = 20  # records: for fewer, starting another process does not pay off


def shared_out(
    work: Callable[..., None],
    jobs: Sequence[tuple[Any, ...]],
    records: int,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Calls `work(*job)` for each job, in separate processes if there are many records, and
    `meanwhile()` in this one.

    Each process uses one thread for linear algebra: its matrices are small, and threads of several
    processes would wait for each other.
    """
    processes = min(cores(), MOST, len(jobs))
    if processes < 2 or records < FEW:
        for job in jobs:
            work(*job)
        meanwhile()
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_one_thread) as pool:
        submitted = [pool.submit(work, *job) for job in jobs]
        try:
            meanwhile()
            for done in submitted:
                done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # else all jobs would run first
            raise


def _one_thread() -> None:
    """Limits the linear algebra of this process to one thread. A limit holds only for libraries
    that are loaded, and scikit-learn loads those that metrics use.
    """
    import sklearn.linear_model  # noqa: F401

    threadpool_limits(1)
