"""Attacks: their arithmetic, what they score, and that they leave the attacked model alone."""

import copy
from dataclasses import replace

import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from benchmark.attacks import ATTACKS
from benchmark.attacks.quantize import round_to_nearest
from benchmark.attacks.relearn import halves
from benchmark.core.examples import Example, Pair
from benchmark.core.request import Budget
from benchmark.models.tracks import CONTROLLED, SMOLLM2
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll

FORGET = [
    Example(f"{p}.{i}", p, f"Question {i} about {p}?", f"Answer {i}")
    for p in "abcd"
    for i in range(3)
]


def test_rounding_to_four_bits_by_hand():
    """Largest weight 7 gives a scale of 1, so every weight goes to the nearest whole number."""
    weight = torch.tensor([[7.0, 0.4, -0.6, -7.0], [0.7, 0.04, 0.06, 0.0]])
    expected = torch.tensor([[7.0, 0.0, -1.0, -7.0], [0.7, 0.0, 0.1, 0.0]])
    torch.testing.assert_close(round_to_nearest(weight, bits=4), expected)


def test_layers_of_gpt2_are_rounded_along_their_inputs_and_the_head_is_not():
    """GPT-2 keeps (in, out) where others keep (out, in)."""
    config = GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=2, n_positions=16)
    model = GPT2LMHeadModel(config)
    attacked = ATTACKS["quantize_int4"].apply(model, None, [], CONTROLLED, 0)
    layer, rounded = model.transformer.h[0].mlp.c_fc, attacked.transformer.h[0].mlp.c_fc
    torch.testing.assert_close(rounded.weight.T, round_to_nearest(layer.weight.T, bits=4))
    assert not torch.equal(rounded.weight, layer.weight)
    assert torch.equal(attacked.lm_head.weight, model.lm_head.weight)


def test_groups_have_their_own_scale_and_at_most_sixteen_levels():
    weight = torch.randn(3, 100, generator=torch.Generator().manual_seed(0))
    rounded = round_to_nearest(weight, bits=4, group=64)
    for block in (rounded[:, :64], rounded[:, 64:]):
        assert all(len(row.unique()) <= 16 for row in block)
    scale = weight[:, :64].abs().amax(1, keepdim=True) / 7
    assert ((rounded - weight)[:, :64].abs() <= scale / 2 + 1e-6).all()
    torch.testing.assert_close(round_to_nearest(torch.zeros(2, 4), bits=4), torch.zeros(2, 4))


def test_relearning_scores_other_entities_than_it_trains_on():
    learned, scored = halves(FORGET)
    assert {e.entity for e in learned} == {"a", "c"}
    assert {e.entity for e in scored} == {"b", "d"}
    assert len(learned) + len(scored) == len(FORGET)


def test_relearning_teaches_the_first_half():
    model, track = tiny_model(), replace(CONTROLLED, budget=Budget(steps=80, batch_size=4))
    attacked = ATTACKS["relearn_disjoint"].apply(model, tiny_tokenizer(), FORGET, track, seed=0)
    batch = collate([Pair(e.prompt, e.answer) for e in halves(FORGET)[0]], tiny_tokenizer())
    assert answer_nll(attacked, batch).mean() < answer_nll(model, batch).mean()


def test_relearning_takes_the_rate_of_the_track():
    model = tiny_model()
    tracks = [
        replace(SMOLLM2, budget=Budget(steps=8, batch_size=4), relearning_rate=rate)
        for rate in (1e-5, 1e-3)
    ]
    attack = ATTACKS["relearn_disjoint"]
    slow, fast = (
        attack.apply(model, tiny_tokenizer(), FORGET, track, seed=0).state_dict()
        for track in tracks
    )
    before = model.state_dict()
    assert sum(float((slow[k] - before[k]).abs().sum()) for k in slow) < 0.1 * sum(
        float((fast[k] - before[k]).abs().sum()) for k in fast
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_repeat_themselves_and_leave_the_model_as_it_was(name):
    model = tiny_model()
    before = copy.deepcopy(model.state_dict())
    track = replace(CONTROLLED, budget=Budget(steps=8, batch_size=4))
    first, second = (
        ATTACKS[name].apply(model, tiny_tokenizer(), FORGET, track, seed=3) for _ in range(2)
    )
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(
        torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items()
    )
    assert any(not torch.equal(before[key], value) for key, value in first.state_dict().items())
