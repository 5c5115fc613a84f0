"""The Unlearning Depth Score against values computed by hand."""

import math

import numpy as np
import pytest

from benchmark.metrics.frames import example_frame
from benchmark.metrics.patching import unlearning_depth
from benchmark.metrics.values import metric_values

STAGES = ("patching unpatched", "patching 0.33", "patching", "patching 1.00")


@pytest.fixture
def frame(make_sample):
    """Builds a frame from each example's mean log-probabilities, unpatched and at three layers."""

    def build(**examples):
        samples = [
            make_sample(
                stage=stage,
                example=name,
                entity=name,
                logprobs=np.full(2, value),
                correct=np.array([True, True]),
            )
            for name, values in examples.items()
            for stage, value in zip(STAGES, values, strict=True)
        ]
        return example_frame([make_sample(), *samples])

    return build


def test_depth_by_hand(frame):
    """The oracle loses 0.04, 1 and 3 nats, so the first layer does not count. The model loses half
    of the second layer's loss and more than all of the third's, which counts as all.
    """
    oracle = frame(a=(-1.0, -1.04, -2.0, -4.0))
    model = frame(a=(-1.0, -9.0, -1.5, -6.0))
    expected = (1 * 0.5 + 3 * 1) / 4
    assert unlearning_depth(model, [oracle]) == pytest.approx(np.array([[expected]]))


def test_the_target_has_no_depth_and_an_oracle_all_of_it(frame):
    oracle = frame(a=(-1.0, -1.5, -2.0, -4.0), b=(-1.0, -1.0, -3.0, -4.0))
    target = frame(a=(-1.0, -1.0, -1.0, -1.0), b=(-1.0, -1.0, -1.0, -1.0))
    better = frame(a=(-1.0, -0.5, -0.5, -0.5), b=(-1.0, -0.5, -0.5, -0.5))
    assert unlearning_depth(oracle, [oracle]).tolist() == [[1, 1]]
    assert unlearning_depth(target, [oracle]).tolist() == [[0, 0]]
    assert unlearning_depth(better, [oracle]).tolist() == [[0, 0]], "what is gained is no loss"


def test_examples_without_a_layer_that_holds_them_are_failed_and_counted(frame):
    model = frame(a=(-1.0, -1.0, -2.0, -3.0), b=(-1.0, -1.0, -2.0, -3.0))
    knows = frame(a=(-1.0, -1.0, -1.0, -1.01), b=(-1.0, -1.0, -2.0, -5.0))
    other = frame(a=(-1.0, -1.0, -1.0, -1.0), b=(-1.0, -1.0, -5.0, -3.0))
    depths = unlearning_depth(model, [knows, other])
    assert np.isnan(depths[:, 0]).all()
    assert depths[:, 1] == pytest.approx([(1 + 2) / 5, (1 + 2) / 6])
    found = {v.metric: v for v in metric_values(model, [knows, other]) if "depth" in v.metric}
    summary = found["unlearning_depth"]
    assert (summary.stage, summary.split) == ("patching", "forget")
    assert (summary.n_scored, summary.n_failed) == (1, 1)
    assert summary.value == pytest.approx((3 / 5 + 3 / 6) / 2)
    assert found["unlearning_depth_least"].value == pytest.approx(3 / 6)
    assert found["unlearning_depth_most"].value == pytest.approx(3 / 5)


def test_oracles_that_another_target_was_patched_with_say_nothing(frame):
    """An oracle's losses relative to one target do not apply to another target."""
    model = frame(a=(-1.0, -1.0, -2.0, -3.0))
    same, other = frame(a=(-1.0, -1.0, -2.0, -5.0)), frame(a=(-1.1, -1.0, -2.0, -5.0))
    depths = unlearning_depth(model, [same, other])
    assert depths[0] == pytest.approx([(1 + 2) / (1 + 4)])
    assert np.isnan(depths[1]).all()
    found = {v.metric: v.value for v in metric_values(model, [same, other]) if "depth" in v.metric}
    assert found["unlearning_depth"] == pytest.approx(3 / 5)
    assert not [v for v in metric_values(model, [other, other]) if "depth" in v.metric]


def test_no_depth_without_patched_stages_or_with_references_asked_something_else(
    frame, make_sample
):
    plain = example_frame([make_sample()])
    model = frame(a=(-1.0, -1.0, -2.0, -3.0))
    assert unlearning_depth(plain, [plain]).shape == (1, 0)
    for one, others in (
        (plain, [plain]),
        (model, [plain]),
        (model, []),
        (model, [frame(b=[-1] * 4)]),
    ):
        assert not [v for v in metric_values(one, others) if "depth" in v.metric]


def test_layers_are_reported_for_the_attack_alone(frame):
    values = metric_values(frame(a=(-1.0, -1.5, -2.0, -4.0)), [])
    found = {v.stage: v.value for v in values if v.metric == "patched_logprob"}
    assert found == dict(zip(STAGES, (-1.0, -1.5, -2.0, -4.0), strict=True))
    assert all(math.isfinite(value) for value in found.values())
