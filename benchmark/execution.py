"""Carries a plan out on local workers, with a display; turns dead workers into error records."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmark.estimates import Estimates, clock
from benchmark.executors.local import Event, LocalExecutor
from benchmark.models.store import ArtefactStore
from benchmark.planning import Plan
from benchmark.progress import RunDisplay
from benchmark.records.schema import Failure
from benchmark.records.store import ResultStore
from benchmark.running import Workplace, execute, write_failure


def prepare_worker() -> None:
    """One thread per process: fastest for models of this size, and the same on every machine."""
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def run_plan(plan: Plan, out: Path, workers: int, force: bool, estimates: Estimates, console: Console) -> int:
    """Runs the plan's jobs; returns how many failed."""
    cached, total = len(plan.cached), len(plan.ids)
    console.print(f"suite {plan.suite.name}: {total} cells, {cached} cached, {len(plan.jobs)} jobs", end="")
    if not plan.jobs:
        console.print(", nothing to run")
        return 0
    console.print(f", about {clock(estimates.total(plan.jobs, workers))} on {workers} workers")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    place = Workplace(ArtefactStore().home.resolve(), out.resolve(), force)
    results = ResultStore(out)

    def hear(event: Event) -> None:
        if event.kind == "lost" and event.job.cells:
            failure = Failure(type="WorkerDied", message=event.message, traceback="")
            write_failure(event.job.cells, event.job.variant, failure, results)
        display.notify(event)

    with RunDisplay(console, plan.jobs, cached, estimates, workers) as display:
        LocalExecutor(workers, prepare_worker, partial(execute, place=place)).run(plan.jobs, hear)
    return display.failures
