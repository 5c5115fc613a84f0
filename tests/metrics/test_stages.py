"""Stages: values encoded in a stage's name can be read back from it."""

import pytest

from benchmark.metrics.stages import budget_stage, fraction_of, request_of, request_stage, sort_of
from benchmark.pipeline.unlearn import BUDGET_POINTS


@pytest.mark.parametrize("fraction", [*BUDGET_POINTS, 0.01, 1.0])
def test_shares_of_the_budget_are_read_back(fraction):
    stage = budget_stage(fraction)
    assert fraction_of(stage) == fraction
    assert request_of(stage) is None
    assert sort_of(stage) == "budget"


@pytest.mark.parametrize("done", [0, 1, 9, 10, 99])
def test_numbers_of_requests_are_read_back(done):
    stage = request_stage(done)
    assert request_of(stage) == done
    assert fraction_of(stage) is None
    assert sort_of(stage) == "request"


def test_names_are_in_the_order_of_what_they_name():
    for names in ([budget_stage(f) for f in BUDGET_POINTS], [request_stage(n) for n in range(12)]):
        assert sorted(names) == names
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "stage", ["model", "relearn_disjoint", "quantize_int4", "budget", "request"]
)
def test_other_stages_are_not_on_the_way(stage):
    assert sort_of(stage) == ("model" if stage == "model" else "attack")
    assert fraction_of(stage) is request_of(stage) is None
