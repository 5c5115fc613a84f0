"""Estimates of how long a plan takes: larger tasks, models and trainings take longer."""

import pytest

from benchmark.core.inputs import Inputs
from benchmark.execution import estimates as estimating
from benchmark.execution.estimates import Estimates
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.suite import Suite
from benchmark.records.store import ResultStore


@pytest.fixture
def planned(tmp_path):
    """A function that plans tasks and methods on SmolLM2; skips a test that lacks data."""

    def plan_of(tasks, *methods):
        suite = Suite(
            name="s",
            description="",
            tracks=["smollm2-135m"],
            tasks=tasks,
            methods=list(methods),
            oracles=2,
        )
        plan = Planner(Inputs(tmp_path / "home"), ResultStore(tmp_path / "out")).plan(suite)
        if plan.missing:
            pytest.skip(plan.missing[0])
        return plan

    return plan_of


def test_a_larger_task_is_said_to_take_longer(planned):
    plan = planned(["real_entities/mid", "real_entities_small"], "none")
    seconds = {(j.kind, j.variant.task): Estimates([]).seconds(j) for j in plan.jobs}
    for kind in ("reference", "cell"):
        assert 1.5 < seconds[kind, "real_entities"] / seconds[kind, "real_entities_small"] < 5
    assert Estimates([]).total(plan.jobs, 2) < Estimates([]).total(plan.jobs, 1)


def test_retraining_is_said_to_take_longer_than_a_model_for_the_oracle_does(planned):
    plan = planned(["memorized"], "none", "retrain")
    estimates = Estimates([])
    seconds = {job.label.partition(" ")[0]: estimates.seconds(job) for job in plan.jobs}
    assert seconds["retrain"] > seconds["oracle"] > 100


def test_a_larger_pretrained_model_is_said_to_take_longer(planned, monkeypatch):
    """Time on a core is proportional to the number of parameters; if this is unknown before the
    download, the size of SmolLM2 is assumed.
    """
    plan = planned(["memorized"], "npo")
    computed = [job for job in plan.jobs if job.kind not in ("base", "references")]
    estimates, seconds = Estimates([]), []
    for parameters in (None, estimating.SMOLLM2, 10 * estimating.SMOLLM2):
        monkeypatch.setattr(estimating, "parameters_of", lambda variant, p=parameters: p)
        seconds.append([estimates.seconds(job) for job in computed])
    assert seconds[0] == seconds[1]
    assert seconds[2] == pytest.approx([10 * each for each in seconds[1]])
