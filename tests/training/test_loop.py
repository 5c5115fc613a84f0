"""The training loop: schedule, accounting, and what happens when a loss breaks."""

import pytest
import torch

from benchmark.data import Meter
from benchmark.training.loop import Schedule, train


def fit(loss, steps=3, batches=None, **schedule):
    model, meter = torch.nn.Linear(2, 1), Meter()
    train(model, batches or [1] * 10, lambda b: loss(model), Schedule(steps, 0.1, **schedule), meter, lambda b: 7)
    return model, meter


def test_steps_and_tokens_are_counted_and_the_model_ends_in_evaluation_mode():
    model, meter = fit(lambda m: m.weight.sum())
    assert (meter.steps, meter.tokens) == (3, 21)
    assert not model.training


def test_the_loop_ends_with_the_batches():
    assert fit(lambda m: m.weight.sum(), steps=5, batches=[1, 1])[1].steps == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_run(value):
    with pytest.raises(FloatingPointError, match="at step 1 of 3"):
        fit(lambda m: m.weight.sum() * value)


def test_gradients_are_clipped_to_norm_one():
    """Adam hides the size of a gradient, so it is read where it is left."""
    model, _ = fit(lambda m: 1000 * m.weight.sum(), steps=1)
    norm = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm()
    assert float(norm) == pytest.approx(1, rel=1e-3)


def test_warm_up_rises_to_the_peak_and_decay_falls_to_two_percent():
    schedule = Schedule(steps=100, learning_rate=1.0, warmup=4)
    assert [schedule.factor(s) for s in range(2)] == [pytest.approx(0.25), pytest.approx(0.5 * 0.99)]
    assert schedule.factor(99) == pytest.approx(0.02)
    assert Schedule(100, 1.0, warmup=4, decay=False).factor(99) == 1
