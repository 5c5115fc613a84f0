"""Runs a plan on local workers or a Ray cluster; writes error records for workers that die."""

from __future__ import annotations

import logging
import os
from functools import partial

from rich.console import Console

from benchmark.core.registry import has_imported_methods
from benchmark.execution.estimates import Estimates, clock
from benchmark.execution.local import LocalExecutor
from benchmark.execution.progress import RunDisplay
from benchmark.execution.ray import RayExecutor
from benchmark.execution.schedule import Event, Executor
from benchmark.models.memory import machine_bytes
from benchmark.models.placement import accelerators
from benchmark.pipeline.execute import make, run_method
from benchmark.pipeline.memory import need_of, needs_of, require_room
from benchmark.pipeline.plan import Job, Plan
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.write_record import write_failure
from benchmark.records.schema import Failure
from benchmark.runtime.gpus import shares
from benchmark.runtime.memory import keep_freed_memory
from benchmark.runtime.processors import cores, threads_here

# Loggers with warnings about GPU components whenever torchao, an extra, is installed.
IRRELEVANT = ("torchao", "torch.utils._pytree")


def default_workers(plan: Plan) -> int:
    """One process per core. If jobs use GPUs, one per GPU, or a single one if a job takes several
    GPUs. On CPUs with a vLLM engine, a single one, since the engine is parallel itself.
    """
    gpus = accelerators()
    if gpus and any(job.variant.track.gains_from_gpus for job in plan.jobs):
        return 1 if _takes_several_gpus(plan) else gpus
    engine = any(cell.evaluation.generation["backend"] == "vllm" for cell in plan.references)
    return 1 if engine else cores()


def _takes_several_gpus(plan: Plan) -> bool:
    shared = any(job.variant.track.updates.processes > 1 for job in plan.jobs)
    return shared or any(need.peak > machine_bytes() / accelerators() for need in needs_of(plan))


def worker_threads(plan: Plan) -> int:
    """Threads per worker, for the default number of workers whatever `--workers` says: a run's
    results on a machine depend on them.
    """
    return max(1, cores() // default_workers(plan))


def prepare_worker(threads: int = 1) -> None:
    """Prepares a process for computing with models."""
    import torch
    import transformers

    keep_freed_memory()
    torch.set_num_threads(threads_here(threads))
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for name in IRRELEVANT:
        logging.getLogger(name).setLevel(logging.ERROR)


def executor_named(name: str, context: RunContext, workers: int) -> Executor:
    """The executor for `local` processes or for a `ray` cluster."""
    prepare = partial(prepare_worker, context.threads)
    halves = partial(run_method, context=context), partial(make, context=context)
    if name == "ray":
        return RayExecutor(prepare, *halves, context.threads, _gpus_of, _memory_of)
    gpus = shares(workers, accelerators())
    return LocalExecutor(gpus, prepare, *halves, has_imported_methods)


def _gpus_of(job: Job) -> int:
    track = job.variant.track
    return track.updates.processes if track.gains_from_gpus else 0


def _memory_of(job: Job) -> int:
    """Peak memory of a job in bytes; 0 if unknown."""
    needs = [need_of(cell, job.variant) for cell in job.cells]
    return max((need.peak for need in needs if need), default=0)


def duration(estimates: Estimates, plan: Plan, workers: int, executor: str) -> str:
    """The estimated time of a plan, as text; a cluster's workers are not known in advance."""
    if executor == "local":
        return f"about {clock(estimates.total(plan.jobs, workers))} on {workers} workers"
    return f"about {clock(estimates.total(plan.jobs, 1))} of one worker of the cluster"


def run_plan(
    plan: Plan,
    context: RunContext,
    workers: int,
    estimates: Estimates,
    console: Console,
    executor: str = "local",
) -> None:
    """Runs the plan's jobs; a cell whose worker died gets an error record."""
    cached, total = len(plan.cached), len(plan.ids)
    console.print(
        f"suite {plan.suite.name}: {total} cells, {cached} cached, {len(plan.jobs)} jobs", end=""
    )
    if not plan.jobs:
        console.print(", nothing to run")
        return
    if executor == "local":  # a cluster places tasks by memory itself
        require_room(plan, workers)
    console.print(f", {duration(estimates, plan, workers, executor)}")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_NUM_THREADS", str(context.threads))

    def hear(event: Event) -> None:
        if event.kind == "lost" and event.job.cells:
            failure = Failure(type="WorkerDied", message=event.message, traceback="")
            proxy = bool(event.job.variant.data.proxies)
            write_failure(event.job.cells, failure, context, proxy=proxy)
        display.notify(event)

    with RunDisplay(console, plan.jobs, cached, estimates, workers) as display:
        executor_named(executor, context, workers).run(plan.jobs, hear)
