"""The default number of workers of a run."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark.core.inputs import Inputs
from benchmark.core.updates import Updates
from benchmark.execution import run_plan
from benchmark.models.tracks import track_named
from benchmark.pipeline.plan import Job
from benchmark.pipeline.variant import Variant


def plan_on(track, backend="hf"):
    variant = Variant(track, "task", "variant", 2, Inputs(Path("home")))
    job = Job("job", "model", "a model", frozenset(), variant)
    reference = SimpleNamespace(evaluation=SimpleNamespace(generation={"backend": backend}))
    return SimpleNamespace(jobs=[job], references=[reference])


SMALL, REAL = track_named("controlled-1m"), track_named("smollm2-135m")
SHARDED = replace(REAL, updates=Updates(processes=4))


@pytest.mark.parametrize(
    ("plan", "gpus", "workers", "threads"),
    [
        (plan_on(SMALL), 0, 8, 1),
        (plan_on(SMALL), 4, 8, 1),  # too small to gain from GPUs
        (plan_on(REAL), 0, 8, 1),
        (plan_on(REAL, "vllm"), 0, 1, 8),  # one engine uses all cores
        (plan_on(REAL), 4, 4, 2),
        (plan_on(REAL, "vllm"), 4, 4, 2),  # an engine on each GPU
        (plan_on(SHARDED), 4, 1, 8),
    ],
)
def test_a_worker_for_each_core_or_gpu(monkeypatch, plan, gpus, workers, threads):
    monkeypatch.setattr(run_plan, "cores", lambda: 8)
    monkeypatch.setattr(run_plan, "accelerators", lambda: gpus)
    assert run_plan.default_workers(plan) == workers
    assert run_plan.worker_threads(plan) == threads


def test_what_one_gpu_cannot_hold_has_all_of_them(monkeypatch):
    monkeypatch.setattr(run_plan, "accelerators", lambda: 4)
    monkeypatch.setattr(run_plan, "machine_bytes", lambda: 4 * 80)
    for peak, workers in ((80, 4), (81, 1)):
        needs = [SimpleNamespace(peak=peak)]
        monkeypatch.setattr(run_plan, "needs_of", lambda plan, needs=needs: needs)
        assert run_plan.default_workers(plan_on(REAL)) == workers
