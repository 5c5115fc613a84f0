"""Attacks: their arithmetic, what they score, and that they leave the attacked model alone."""

import copy

import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from benchmark.attacks.quantize import round_to_nearest
from benchmark.attacks.relearn import halves
from benchmark.core.attack import Attack
from benchmark.core.examples import Example, Pair
from benchmark.core.registry import attack_of, attacks, register_attack
from benchmark.core.request import Budget
from benchmark.errors import BadInput
from benchmark.models.tracks import all_tracks, track_named
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll

QUANTIZE = {"name": "quantize_int4", "bits": 4, "group": 64}
RELEARN = {"name": "relearn_disjoint", "share_of_budget": 0.25, "learning_rate": 5e-4}
FORGET = [
    Example(f"{p}.{i}", p, f"Question {i} about {p}?", f"Answer {i}")
    for p in "abcd"
    for i in range(3)
]


def test_rounding_to_four_bits_by_hand():
    """Largest weight 7 gives a scale of 1, so every weight goes to the nearest whole number."""
    weight = torch.tensor([[7.0, 0.4, -0.6, -7.0], [0.7, 0.04, 0.06, 0.0]])
    expected = torch.tensor([[7.0, 0.0, -1.0, -7.0], [0.7, 0.0, 0.1, 0.0]])
    torch.testing.assert_close(round_to_nearest(weight, bits=4, group=64), expected)


def test_layers_of_gpt2_are_rounded_along_their_inputs_and_the_head_is_not():
    """GPT-2 keeps (in, out) where others keep (out, in)."""
    config = GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=2, n_positions=16)
    model = GPT2LMHeadModel(config)
    attacked = attack_of(QUANTIZE).apply(model, None, [], Budget(1, 1), 0)
    layer, rounded = model.transformer.h[0].mlp.c_fc, attacked.transformer.h[0].mlp.c_fc
    torch.testing.assert_close(rounded.weight.T, round_to_nearest(layer.weight.T, bits=4, group=64))
    assert not torch.equal(rounded.weight, layer.weight)
    assert torch.equal(attacked.lm_head.weight, model.lm_head.weight)


def test_groups_have_their_own_scale_and_at_most_sixteen_levels():
    weight = torch.randn(3, 100, generator=torch.Generator().manual_seed(0))
    rounded = round_to_nearest(weight, bits=4, group=64)
    for block in (rounded[:, :64], rounded[:, 64:]):
        assert all(len(row.unique()) <= 16 for row in block)
    scale = weight[:, :64].abs().amax(1, keepdim=True) / 7
    assert ((rounded - weight)[:, :64].abs() <= scale / 2 + 1e-6).all()
    torch.testing.assert_close(round_to_nearest(torch.zeros(2, 4), 4, 64), torch.zeros(2, 4))


def test_relearning_scores_other_entities_than_it_trains_on():
    learned, scored = halves(FORGET)
    assert {e.entity for e in learned} == {"a", "c"}
    assert {e.entity for e in scored} == {"b", "d"}
    assert len(learned) + len(scored) == len(FORGET)


def test_relearning_teaches_the_first_half():
    model, budget = tiny_model(), Budget(steps=80, batch_size=4)
    attacked = attack_of(RELEARN).apply(model, tiny_tokenizer(), FORGET, budget, seed=0)
    batch = collate([Pair(e.prompt, e.answer) for e in halves(FORGET)[0]], tiny_tokenizer())
    assert answer_nll(attacked, batch).mean() < answer_nll(model, batch).mean()


def distance(one, other):
    other = other.state_dict()
    return sum(float((v - other[k]).abs().sum()) for k, v in one.state_dict().items())


def test_relearning_goes_as_far_as_its_rate_and_its_share_of_the_budget():
    model, budget = tiny_model(), Budget(steps=8, batch_size=4)
    moved = [
        distance(
            model,
            attack_of(RELEARN | changes).apply(model, tiny_tokenizer(), FORGET, budget, seed=0),
        )
        for changes in ({"learning_rate": 1e-5}, {}, {"share_of_budget": 1})
    ]
    assert moved[0] < 0.1 * moved[1]
    assert moved[1] < 0.5 * moved[2]


@pytest.mark.parametrize("entry", [QUANTIZE, RELEARN], ids=lambda entry: entry["name"])
def test_attacks_repeat_themselves_and_leave_the_model_as_it_was(entry):
    model, attack, budget = tiny_model(), attack_of(entry), Budget(steps=8, batch_size=4)
    before = copy.deepcopy(model.state_dict())
    first, second = (
        attack.apply(model, tiny_tokenizer(), FORGET, budget, seed=3) for _ in range(2)
    )
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(
        torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items()
    )
    assert any(not torch.equal(before[key], value) for key, value in first.state_dict().items())


def test_bits_and_groups_are_those_of_the_attack():
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=2, n_positions=16)
    )
    attacked = attack_of(QUANTIZE | {"bits": 2, "group": 4}).apply(model, None, [], Budget(1, 1), 0)
    rounded = attacked.transformer.h[0].mlp.c_fc.weight.T
    for block in rounded.split(4, dim=1):
        assert all(len(row.unique()) <= 4 for row in block)
    assert len(rounded.unique()) > 4


@pytest.mark.parametrize("track", all_tracks(), ids=lambda track: track.name)
def test_every_track_of_ours_is_attacked_by_both(track):
    recipes = [attack.recipe() for attack in track.attacks]
    assert [(recipe["name"], recipe["version"]) for recipe in recipes] == [
        ("quantize_int4", 1),
        ("relearn_disjoint", 1),
    ]
    assert recipes[0]["parameters"] == {"bits": 4, "group": 64}
    assert recipes[1]["parameters"]["share_of_budget"] == 0.25


@pytest.mark.parametrize(
    ("track", "rate"), [("controlled-1m", 5e-4), ("smollm2-135m", 2e-4), ("pythia-1.4b", 2e-5)]
)
def test_relearning_has_the_rate_of_the_track(track, rate):
    recipe = track_named(track).attacks[1].recipe()
    assert recipe["parameters"] == {"share_of_budget": 0.25, "learning_rate": rate}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "relearn"}, "unknown attack 'relearn'; did you mean relearn_disjoint"),
        (RELEARN | {"rate": 1}, "unknown parameter of relearn_disjoint 'rate'"),
        (RELEARN | {"learning_rat": 1}, "did you mean learning_rate"),
        (RELEARN | {"learning_rate": 0}, "parameter learning_rate: Input should be greater than 0"),
        (RELEARN | {"share_of_budget": 1.5}, "share_of_budget: Input should be less than or equal"),
        ({"name": "quantize_int4", "bits": 4}, "parameter group: Field required"),
        ({}, "unknown attack ''"),
    ],
)
def test_an_attack_that_is_wrong_is_bad_input(entry, message):
    with pytest.raises(BadInput) as error:
        attack_of(entry)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["model", "target", "budget 0.50"])
def test_no_attack_has_the_name_of_another_stage(name):
    with pytest.raises(BadInput, match="name"):
        register_attack(name, version=1, source="")(type("Shaking", (Attack,), {}))
    assert name not in attacks()


def test_an_attack_is_told_apart_by_its_parameters_and_can_be_compared():
    assert attack_of(QUANTIZE) == attack_of(dict(reversed(QUANTIZE.items())))
    assert attack_of(QUANTIZE) != attack_of(QUANTIZE | {"group": 32})
    assert len({attack_of(QUANTIZE), attack_of(QUANTIZE), attack_of(RELEARN)}) == 2
