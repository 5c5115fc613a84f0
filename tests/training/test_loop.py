"""The training loop: schedule, accounting, and what happens when a loss breaks."""

import pytest
import torch
from toy_models import tiny_model

from benchmark.core.request import BudgetExceeded, Meter
from benchmark.core.updates import Updates
from benchmark.models.placement import computing_in, looking_at
from benchmark.training.loop import Schedule, observed, train, updated_by


def fit(loss, steps=3, batches=None, **schedule):
    model, meter = torch.nn.Linear(2, 1), Meter()
    train(
        model,
        batches or [1] * 10,
        lambda b: loss(model),
        Schedule(steps, 0.1, **schedule),
        meter,
        lambda b: 7,
    )
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
    """Adam hides the size of a gradient, so it is read from the parameters' `grad`."""
    model, _ = fit(lambda m: 1000 * m.weight.sum(), steps=1)
    norm = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm()
    assert float(norm) == pytest.approx(1, rel=1e-3)


def test_warm_up_rises_to_the_peak_and_decay_falls_to_two_percent():
    schedule = Schedule(steps=100, learning_rate=1.0, warmup=4)
    assert [schedule.factor(s) for s in range(2)] == [
        pytest.approx(0.25),
        pytest.approx(0.5 * 0.99),
    ]
    assert schedule.factor(99) == pytest.approx(0.02)
    assert Schedule(100, 1.0, warmup=4, decay=False).factor(99) == 1


def test_the_limit_of_a_meter_can_be_reached_but_not_passed():
    meter = Meter(limit=2)
    meter.step(None, 5)
    meter.step(None, 6)
    with pytest.raises(BudgetExceeded, match="2 steps"):
        meter.step(None, 7)
    assert (meter.steps, meter.tokens) == (2, 11)


def test_a_meter_shows_the_model_after_each_step():
    seen = []
    meter = Meter(watch=lambda model, steps: seen.append((model, steps)))
    meter.step("one", 5)
    meter.step("two", 5)
    assert seen == [("one", 1), ("two", 2)]


def test_a_step_beyond_the_limit_is_not_shown():
    seen = []
    with pytest.raises(BudgetExceeded):
        Meter(limit=0, watch=lambda *step: seen.append(step)).step("model", 1)
    assert seen == []


def test_what_is_watched_are_the_weights_after_the_step():
    model, weights = torch.nn.Linear(2, 1), []
    meter = Meter(watch=lambda m, _: weights.append(m.weight.detach().clone()))
    before = model.weight.detach().clone()
    train(model, [1] * 3, lambda b: model.weight.sum(), Schedule(3, 0.1), meter, lambda b: 1)
    assert len(weights) == 3
    assert not torch.equal(weights[0], before)
    assert torch.equal(weights[-1], model.weight)


def test_training_goes_on_as_if_nobody_had_watched():
    """The observer puts the model into evaluation mode and back."""

    def look(model, _):
        model.eval()
        model.train()

    plain, watched = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    watched.load_state_dict(plain.state_dict())
    for model, watch in ((plain, None), (watched, look)):
        train(
            model,
            [1] * 4,
            lambda b, m=model: m.weight.sum(),
            Schedule(4, 0.1),
            Meter(watch=watch),
            lambda b: 1,
        )
    assert torch.equal(plain.weight, watched.weight)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_step_computes_with_the_weights_that_the_step_before_left(precision):
    """Unless told not to, autocast caches weights that it has seen: the loss would never fall."""
    model, ids, losses = tiny_model(), torch.arange(24).reshape(2, 12), []

    def nll(model):
        return torch.nn.functional.cross_entropy(
            model(ids).logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten()
        )

    def loss(_):
        losses.append(nll(model))
        return losses[-1]

    with computing_in(precision, "onednn", model):
        train(model, [1] * 30, loss, Schedule(30, 0.02), Meter(), tokens_of=lambda b: 1)
    assert losses[-1].item() < 0.5 * losses[0].item()
    with torch.no_grad():
        assert nll(model).item() == pytest.approx(losses[-1].item(), rel=0.1)


def test_a_look_within_a_training_in_bfloat16_is_as_exact_as_one_after_it():
    model, ids = tiny_model().train(), torch.arange(24).reshape(2, 12)
    with torch.no_grad():
        after = model(ids).logits
        with computing_in("bfloat16", "onednn", model):
            assert not torch.equal(model(ids).logits.float(), after)
            with looking_at(model):
                assert not model.training
                assert torch.equal(model(ids).logits, after)
    assert model.training


def test_an_observer_hears_of_losses_and_of_the_norm_before_clipping_and_changes_nothing():
    def pair(model):
        return (model(torch.tensor([3.0, 0.0])).sum(), -model(torch.tensor([0.0, 4.0])).sum())

    def trained():
        torch.manual_seed(0)
        return fit(pair, steps=2)[0].state_dict()

    heard = []
    with observed(lambda losses, norm: heard.append((losses, norm))):
        seen = trained()
    unseen = trained()  # the observer is gone and hears nothing more
    assert all(torch.equal(seen[name], unseen[name]) for name in seen)
    assert len(heard) == 2
    # Gradients of both losses: weights (3, -4), and 1 - 1 for the bias.
    assert [norm for _, norm in heard] == pytest.approx([5.0, 5.0])
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    (w, v), b = model.weight[0].tolist(), model.bias.item()
    assert heard[0][0] == pytest.approx((3 * w + b, -(4 * v + b)))


def test_an_observer_of_one_loss_hears_of_one_number():
    heard = []
    with observed(lambda losses, norm: heard.append((losses, norm))):
        fit(lambda m: m.weight.sum() * 0 + 7, steps=1)
    assert heard == [((7.0,), 0.0)]


def in_two(batch, count):
    return [batch[i::count] for i in range(count)]


@pytest.mark.parametrize("pair", [False, True])
def test_parts_of_a_batch_have_the_gradient_of_the_whole(pair):
    """The loss is a mean over the pairs of a batch; two combined losses are tested as well."""
    rows = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
    ended, told = [], []
    for parts in (1, 2, 4):
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 1)

        def loss(batch, model=model):
            one = model(batch).square().mean()
            return (one, model.weight.square().sum() * batch.mean()) if pair else one

        heard = []
        meter = Meter()
        with updated_by(Updates(parts=parts)), observed(lambda *step, h=heard: h.append(step)):
            train(model, [rows] * 3, loss, Schedule(3, 0.05), meter, len, parts=in_two)
        assert (meter.steps, meter.tokens) == (3, 24)
        ended.append(model.weight.detach())
        told.append(torch.tensor([[*terms, norm] for terms, norm in heard]))
    for weights, heard in zip(ended[1:], told[1:], strict=True):
        torch.testing.assert_close(weights, ended[0])
        torch.testing.assert_close(heard, told[0], atol=1e-5, rtol=1e-4)


def test_what_cannot_be_parted_is_computed_whole():
    seen = []
    model = torch.nn.Linear(3, 1)

    def loss(batch):
        seen.append(len(batch))
        return model(batch).mean()

    with updated_by(Updates(parts=2)):
        train(model, [torch.ones(8, 3)], loss, Schedule(1, 0.05), Meter(), len)
    assert seen == [8]


@pytest.mark.parametrize("rounding", ["master", "stochastic"])
def test_bfloat16_weights_move_at_small_rates(rounding):
    model = torch.nn.Linear(64, 64).bfloat16()
    before = model.weight.detach().float()
    with updated_by(Updates(weights="bfloat16", rounding=rounding)):
        torch.manual_seed(3)
        train(
            model,
            [1] * 100,
            lambda b: model.weight.float().sum(),
            Schedule(100, 1e-5, warmup=1, decay=False),
            Meter(),
            lambda b: 1,
        )
    moved = (model.weight.detach().float() - before).mean()
    assert moved.item() == pytest.approx(-100 * 1e-5, rel=0.1)
    assert model.weight.dtype == torch.bfloat16
