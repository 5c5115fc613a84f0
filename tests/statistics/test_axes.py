"""The table of axes: everything that counts for a score can be computed, and unnamed metrics count
for nothing.
"""

import pytest

from benchmark.metrics import METRICS
from benchmark.metrics.sample import sampled
from benchmark.statistics.axes import AXES, FED_BY, axis_of, splits_fed

NAMED = sorted({m for splits in FED_BY.values() for metrics in splits.values() for m in metrics})


@pytest.mark.parametrize("name", NAMED)
def test_what_counts_is_reported_on_that_split(name):
    metric = METRICS[name]
    fed = list(splits_fed(name))
    assert {split for _, split in fed} <= set(metric.splits)
    assert all(axis_of(name, split) == axis for axis, split in fed)
    if ("forgetting", "forget") in fed:
        # Sampled answers and the union of probes exist only for the final model.
        alone = metric.needs & sampled(64) or metric.united
        assert metric.attacked or alone, "forgetting is recomputed after attacks"


def test_every_axis_is_fed_and_forgetting_and_privacy_by_the_forget_set_alone():
    assert FED_BY.keys() | {"robustness"} == set(AXES)
    assert FED_BY["forgetting"].keys() == FED_BY["privacy"].keys() == {"forget"}
    assert FED_BY["utility"].keys() == {"retain", "retain_eval", "neighbors", "general", "harness"}


def test_a_split_counts_for_one_axis():
    for name in NAMED:
        splits = [split for _, split in splits_fed(name)]
        assert len(splits) == len(set(splits))


def test_an_unnamed_metric_counts_for_nothing():
    assert axis_of("exact_answer_trained", "forget") == axis_of("probability", "nowhere") == ""
