"""Unlearn, noise, distil: each stage against plain torch."""

import copy

import pytest
import torch
from hidden_helpers import (
    FORGET,
    RETAIN,
    TEXTS,
    a_request,
    first_loss,
    knowing,
    mean_nll,
    predictions,
    same,
)
from toy_models import tiny_model

from benchmark.core.method import create
from benchmark.core.registry import method_named
from methods.undo import _Distillation


@pytest.mark.parametrize("forget", [FORGET, TEXTS], ids=["questions", "texts"])
def test_undo_unlearns_by_entropy_first(forget):
    model = tiny_model()
    loss, batch = first_loss("undo", model, a_request(forget, RETAIN), forget_weight=3.0)
    divergences = []
    for pair in batch.forget.pairs:
        for logits, _ in predictions(model, pair):
            logp = logits.log_softmax(-1)
            divergences.append(float((-logp - torch.tensor(float(len(logp))).log()).mean()))
    expected = 3 * sum(divergences) / len(divergences) + mean_nll(model, batch.retain.pairs)
    assert loss == pytest.approx(expected, rel=1e-3)


def test_the_damage_shrinks_all_and_adds_noise_to_matrices():
    method = create(method_named("undo"), {"alpha": 0.25, "beta": 0.5})
    model, before = tiny_model(), tiny_model()
    method.damage(model, torch.Generator().manual_seed(0))
    for new, old in zip(model.parameters(), before.parameters(), strict=True):
        added = (new - 0.75 * old).detach()
        if old.ndim == 1:
            torch.testing.assert_close(new, 0.75 * old)
        else:
            expected = 0.25 * 0.5 * (2 / sum(old.shape)) ** 0.5  # Xavier's standard deviation
            assert float(added.std()) == pytest.approx(expected, rel=0.15)
            assert float(added.mean().abs()) < expected / 4


def test_the_distillation_brings_back_what_the_unlearned_model_says_on_retain():
    teacher = knowing([*FORGET, *RETAIN])
    method = _Distillation(1e-3, False, lambda model, _: model.load_state_dict(weights))
    weights = tiny_model(5).state_dict()
    losses = []
    original = method.loss

    def spy(batch):
        assert set(batch.given) == {"retain"}
        losses.append((original(batch), batch))
        return losses[-1][0]

    method.loss = spy
    method.unlearn(copy.deepcopy(teacher), a_request((), RETAIN, steps=1))
    divergences = []
    for pair in losses[0][1].retain.pairs:
        both = zip(predictions(teacher, pair), predictions(tiny_model(5), pair), strict=True)
        for (wanted, _), (own, _) in both:
            q, p = wanted.softmax(-1), own.softmax(-1)
            divergences.append(float((q * (q / p).log()).sum()))
    assert losses[0][0].item() == pytest.approx(sum(divergences) / len(divergences), rel=1e-3)


def test_undo_spends_its_budget_on_both_and_loses_what_it_is_to_forget():
    model = knowing([*FORGET, *RETAIN])
    request = a_request(FORGET, RETAIN, steps=60)
    create(method_named("undo"), {}).unlearn(model, request)
    assert request.meter.steps == 60
    assert mean_nll(model, FORGET) > mean_nll(model, RETAIN) + 1


def test_undo_damages_nothing_that_no_step_is_left_to_repair():
    one = create(method_named("undo"), {}).unlearn(tiny_model(), a_request(FORGET, RETAIN, steps=1))
    parameters = {"alpha": 1.0, "unlearn_share": 0.0}
    other = create(method_named("undo"), parameters).unlearn(
        tiny_model(), a_request(FORGET, RETAIN, steps=1)
    )
    assert same(one, other)
