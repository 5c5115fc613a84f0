"""Attacks: their arithmetic, the examples they score, and that they leave the model unchanged."""

import copy
from statistics import NormalDist

import numpy as np
import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from benchmark.attacks.perturb import pruned
from benchmark.attacks.quantize import NF4, round_to_nearest, round_to_nf4
from benchmark.attacks.relearn import halves
from benchmark.core.attack import Attack, AttackRequest
from benchmark.core.examples import Example, Pair, Question
from benchmark.core.probe_ids import probed
from benchmark.core.registry import attack_of, attacks, register_attack
from benchmark.core.request import Budget
from benchmark.errors import BadInput
from benchmark.inference.settings import GenerationSettings
from benchmark.models.tracks import all_tracks, track_named
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll

QUANTIZE = {"name": "quantize_int4_g64"}
RELEARN = {"name": "relearn_disjoint", "steps": 20, "learning_rate": 5e-4, "points": [5, 10]}
FORGET = [
    Example(f"{p}.{i}", p, f"Question {i} about {p}?", f"Answer {i}")
    for p in "abcd"
    for i in range(3)
]


BUDGET = Budget(8, 4)
RETAIN = [Pair(f"Who is {p}?", f"Someone {p}") for p in "efgh"]


def a_request(budget=BUDGET, seed=0, **changes):
    given = {"forget": FORGET, "retain": RETAIN, "tokenizer": tiny_tokenizer()}
    return AttackRequest(
        **given, budget=budget, seed=seed, target=another_model, oracle=another_model, **changes
    )


def another_model():
    model, generator = tiny_model(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator))
    return model


def test_rounding_to_four_bits_by_hand():
    """A row's scale is its largest weight divided by 7: 1 in the first row, 0.1 in the second."""
    weight = torch.tensor([[7.0, 0.4, -0.6, -7.0], [0.7, 0.04, 0.06, 0.0]])
    expected = torch.tensor([[7.0, 0.0, -1.0, -7.0], [0.7, 0.0, 0.1, 0.0]])
    torch.testing.assert_close(round_to_nearest(weight, bits=4, group=64), expected)


def test_layers_of_gpt2_are_rounded_along_their_inputs_and_the_head_is_not():
    """GPT-2 stores weights as (in, out), other models as (out, in)."""
    config = GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=2, n_positions=16)
    model = GPT2LMHeadModel(config)
    attacked = attack_of(QUANTIZE).apply(model, a_request())
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
    model = tiny_model()
    attacked = attack_of(RELEARN).apply(model, a_request())
    batch = collate([Pair(e.prompt, e.answer) for e in halves(FORGET)[0]], tiny_tokenizer())
    assert answer_nll(attacked, batch).mean() < answer_nll(model, batch).mean()


def distance(one, other):
    other = other.state_dict()
    return sum(float((v - other[k]).abs().sum()) for k, v in one.state_dict().items())


def test_relearning_goes_as_far_as_its_rate_and_its_steps():
    model = tiny_model()
    moved = [
        distance(model, attack_of(RELEARN | changes).apply(model, a_request()))
        for changes in ({"learning_rate": 1e-5}, {"steps": 5}, {"steps": 20})
    ]
    assert moved[0] < 0.1 * moved[2]
    assert moved[1] < 0.5 * moved[2]


def test_a_point_of_relearning_is_the_attack_that_ends_there():
    """The learning rate does not decay, so each point of a curve over steps is a full attack."""
    looked = {}
    look = lambda point, attacked: looked.update({point: copy.deepcopy(attacked)})  # noqa: E731
    attack_of(RELEARN).apply(tiny_model(), a_request(look=look))
    for steps in (5, 10):
        short = attack_of(RELEARN | {"steps": steps, "points": []}).apply(tiny_model(), a_request())
        assert distance(short, looked[f"{steps:03d}"]) == 0


@pytest.mark.parametrize("entry", [QUANTIZE, RELEARN], ids=lambda entry: entry["name"])
def test_attacks_repeat_themselves_and_leave_the_model_as_it_was(entry):
    model, attack, budget = tiny_model(), attack_of(entry), Budget(steps=8, batch_size=4)
    before = copy.deepcopy(model.state_dict())
    first, second = (attack.apply(model, a_request(budget, seed=3)) for _ in range(2))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(
        torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items()
    )
    assert any(not torch.equal(before[key], value) for key, value in first.state_dict().items())


def test_fewer_bits_and_smaller_groups_have_fewer_levels_and_more_scales():
    weight = torch.randn(16, 32, generator=torch.Generator().manual_seed(0))
    rounded = round_to_nearest(weight, bits=2, group=4)
    for block in rounded.split(4, dim=1):
        assert all(len(row.unique()) <= 4 for row in block)
    assert len(rounded.unique()) > 4


@pytest.mark.parametrize("track", all_tracks(), ids=lambda track: track.name)
def test_every_track_of_ours_declares_all_attacks(track):
    recipes = [attack.recipe() for attack in track.attacks]
    assert {recipe["name"] for recipe in recipes} == attacks().keys()
    assert [recipe["name"] for recipe in recipes[:2]] == ["quantize_int4_g64", "relearn_disjoint"]


@pytest.mark.parametrize(
    ("track", "rate"), [("controlled-1m", 5e-4), ("smollm2-135m", 1e-4), ("pythia-1.4b", 2e-5)]
)
def test_relearning_has_the_rate_of_the_track(track, rate):
    parameters = track_named(track).attacks[1].recipe()["parameters"]
    assert (parameters["steps"], parameters["learning_rate"]) == (20, rate)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "relearn"}, "unknown attack 'relearn'; did you mean relearn_"),
        (RELEARN | {"rate": 1}, "unknown parameter of relearn_disjoint 'rate'"),
        (RELEARN | {"learning_rat": 1}, "did you mean learning_rate"),
        (RELEARN | {"learning_rate": 0}, "parameter learning_rate: Input should be greater than 0"),
        (RELEARN | {"steps": 0}, "parameter steps: Input should be greater than 0"),
        ({"name": "noise"}, "parameter scale: Field required"),
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
    assert attack_of(RELEARN) == attack_of(dict(reversed(RELEARN.items())))
    assert attack_of(RELEARN) != attack_of(RELEARN | {"steps": 10})
    assert len({attack_of(QUANTIZE), attack_of(QUANTIZE), attack_of(RELEARN)}) == 2


BENIGN = {"name": "relearn_benign", "steps": 12, "learning_rate": 5e-3, "points": [4, 8]}
LORA = {"name": "relearn_lora", "steps": 12, "learning_rate": 5e-3, "points": [4, 8]}
INTERPOLATE = {"name": "interpolate", "share": 0.5, "points": [0.1, 0.25]}
PRUNE = {"name": "prune", "share": 0.6, "points": [0.2, 0.4]}
ON_WEIGHTS = [BENIGN, LORA, INTERPOLATE, PRUNE, {"name": "quantize_int8"}, {"name": "quantize_nf4"}]
ON_WEIGHTS += [{"name": "noise", "scale": 0.1}]


@pytest.mark.parametrize("entry", ON_WEIGHTS, ids=lambda entry: entry["name"])
def test_attacks_on_weights_change_a_copy_and_look_at_their_points(entry):
    model, attack, looked = tiny_model(), attack_of(entry), []
    before = copy.deepcopy(model.state_dict())
    look = lambda point, attacked: looked.append((point, copy.deepcopy(attacked)))  # noqa: E731
    first, second = (attack.apply(model, a_request(look=look)) for _ in range(2))
    assert distance(model, first) > 0
    assert distance(first, second) == 0
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    points = [f"{p:03d}" if isinstance(p, int) else f"{p:.2f}" for p in entry.get("points", [])]
    assert [point for point, _ in looked] == points * 2
    assert first.state_dict().keys() == model.state_dict().keys(), "no adapters are left"


def mean_nll(model, pairs):
    with torch.no_grad():
        return float(answer_nll(model, collate(pairs, tiny_tokenizer())).mean())


def test_benign_relearning_learns_the_retain_set_and_lora_the_first_half():
    model = tiny_model()
    half = [e.pair for e in halves(FORGET)[0]]
    for entry, pairs in ((BENIGN, RETAIN), (LORA, half)):
        attacked = attack_of(entry).apply(model, a_request())
        assert mean_nll(attacked, pairs) < mean_nll(model, pairs) - 0.5
    assert attack_of(BENIGN).scored(FORGET) == FORGET
    assert attack_of(LORA).scored(FORGET) == halves(FORGET)[1]


def test_interpolation_goes_straight_to_the_target():
    model, target = tiny_model(), another_model()
    attacked = attack_of(INTERPOLATE | {"share": 0.25}).apply(model, a_request())
    for name, weight in attacked.named_parameters():
        start, end = model.get_parameter(name), target.get_parameter(name)
        torch.testing.assert_close(weight, 0.75 * start + 0.25 * end)


def test_pruning_zeroes_the_smallest_weights_of_each_matrix():
    weight = torch.tensor([[3.0, -1.0], [0.5, -4.0], [2.0, 0.25]])
    expected = torch.tensor([[3.0, 0.0], [0.0, -4.0], [2.0, 0.0]])
    assert torch.equal(pruned(weight, 0.5), expected)
    ties = torch.ones(4, 5)
    assert int((pruned(ties, 0.25) == 0).sum()) == 5, "ties are no reason to prune more"
    attacked = attack_of(PRUNE).apply(tiny_model(), a_request())
    layer = attacked.model.layers[0].mlp.down_proj.weight
    assert float((layer == 0).float().mean()) == pytest.approx(0.6, abs=0.01)
    assert torch.equal(attacked.lm_head.weight, tiny_model().lm_head.weight)


def test_noise_has_the_scale_of_the_weights():
    model = tiny_model()
    attacked = attack_of({"name": "noise", "scale": 0.5}).apply(model, a_request())
    before = model.model.layers[0].mlp.down_proj.weight
    moved = attacked.model.layers[0].mlp.down_proj.weight - before
    assert float(moved.std()) == pytest.approx(0.5 * float(before.std()), rel=0.1)
    other = attack_of({"name": "noise", "scale": 0.5}).apply(model, a_request(seed=1))
    assert distance(attacked, other) > 0


def test_nf4_by_hand():
    """The largest weight is itself a level; the others go to the nearest of the sixteen levels."""
    weight = torch.tensor([[2.0, -2.0, 0.15, 0.1], [0.0, 0.9, -1.1, 1.2]])
    levels = [1.0, -1.0, 0.07958029955625534, 0.07958029955625534]
    levels += [0.0, 0.44070982933044434, -0.5250730514526367, 0.5626170039176941]
    expected = 2 * torch.tensor(levels).reshape(2, 4)
    torch.testing.assert_close(round_to_nf4(weight, block=64), expected)
    blocks = round_to_nf4(weight, block=4)
    torch.testing.assert_close(blocks[1, 3], torch.tensor(1.2))


def test_levels_of_nf4_are_quantiles_of_the_normal_distribution():
    """Appendix E of QLoRA: eight positive and seven negative quantiles and zero, scaled to one."""
    normal = NormalDist()
    offset = (1 - 1 / (2 * 15) + 1 - 1 / (2 * 16)) / 2
    up = [normal.inv_cdf(p) for p in np.linspace(offset, 0.5, 9)[:-1]]
    down = [-normal.inv_cdf(p) for p in np.linspace(offset, 0.5, 8)[:-1]]
    levels = np.array(sorted([*up, 0, *down])) / max(up)
    assert np.allclose(levels, NF4, atol=1e-6)


def test_int8_has_a_scale_for_each_row():
    model = tiny_model()
    attacked = attack_of({"name": "quantize_int8"}).apply(model, a_request())
    before = model.model.layers[0].mlp.down_proj.weight
    scale = before.abs().amax(1, keepdim=True) / 127
    whole = attacked.model.layers[0].mlp.down_proj.weight / scale
    torch.testing.assert_close(whole, (before / scale).round(), atol=1e-3, rtol=0)


ASKING = [{"name": "prefix"}, {"name": "in_context"}, {"name": "jailbreak"}, {"name": "insist"}]
ASKING += [{"name": "sampling", "samples": 4}]


@pytest.mark.parametrize("entry", ASKING, ids=lambda entry: entry["name"])
def test_attacks_that_ask_leave_the_model_and_name_their_examples(entry):
    model, attack = tiny_model(), attack_of(entry)
    assert attack.apply(model, a_request()) is model
    text = Example("t", "t", "", "A text that is told.")
    probes = attack.scored([*FORGET, text])
    assert [probed(e.id) for e in probes] == [e.id for e in FORGET], "a text has no prompt"
    for example, probe in zip(FORGET, probes, strict=True):
        assert probe.id == f"{example.id}~{attack.name}"
        assert (probe.entity, probe.strata) == (example.entity, example.strata)
        assert [prompt.text for prompt in probe.reasked] == [probe.prompt]
        assert example.answer.endswith(probe.answer)


def test_a_prefix_gives_the_beginning_of_the_answer_and_asks_for_the_rest():
    example = Example("a", "a", "Who?", "Bren Union Ltd", perturbed=("Kel Works", "Tor"))
    single = Example("b", "b", "Where?", "Malport")
    (probe,) = attack_of({"name": "prefix"}).scored([example, single])
    assert (probe.answer_prefix, probe.answer, probe.perturbed) == ("Bren", "Union Ltd", ("Works",))
    (longer,) = attack_of({"name": "prefix", "words": 2}).scored([example])
    assert (longer.answer_prefix, longer.answer, longer.perturbed) == ("Bren Union", "Ltd", ())


def test_reminders_are_other_facts_about_the_same_entity():
    (probe, *_) = attack_of({"name": "in_context", "turns": 1}).scored(FORGET)
    assert probe.history == (("user", "Question 1 about a?"), ("assistant", "Answer 1"))
    assert probe.prompt == "Question 0 about a?"
    alone = [Example("x", "x", "Who?", "Tor")]
    assert attack_of({"name": "in_context"}).scored(alone) == []


def test_insisting_is_a_second_turn_and_frames_hold_the_question():
    (probe, *_) = attack_of({"name": "insist"}).scored(FORGET)
    assert probe.history == (("user", "Question 0 about a?"), ("assistant", "I do not know."))
    assert probe.prompt == "Are you sure? Question 0 about a?"
    framed = attack_of({"name": "jailbreak"}).scored(FORGET)
    assert all(e.prompt in probe.prompt for e, probe in zip(FORGET, framed, strict=True))
    assert len({probe.prompt.partition("Question")[0] for probe in framed}) == 4


def test_each_held_out_wording_is_a_probe_with_its_own_beginning_of_the_answer():
    example = Example(
        "a", "a", "Who?", "Tor", answer_prefix="It is", history=(("user", "Hello"),),
        paraphrases=("Which one?", "Whom?"), paraphrase_prefixes=("One is", "Him is"),
        perturbed=("Kel",),
    )  # fmt: skip
    alone = Example("b", "b", "Where?", "Malport")
    first, second = attack_of({"name": "paraphrase"}).scored([example, alone])
    assert [probe.id for probe in (first, second)] == ["a~paraphrase1", "a~paraphrase2"]
    assert {probed(first.id), probed(second.id)} == {"a"}
    assert [(p.prompt, p.answer_prefix) for p in (first, second)] == [
        ("Which one?", "One is"),
        ("Whom?", "Him is"),
    ]
    assert first.reasked == (first.pair.asked,)
    assert (first.answer, first.perturbed, first.history) == ("Tor", ("Kel",), example.history)


def test_sampling_draws_and_no_other_attack_does():
    settings = GenerationSettings(max_new_tokens=7)
    drawn = attack_of({"name": "sampling", "samples": 4}).generation(settings)
    assert (drawn.samples, drawn.max_new_tokens) == (4, 7)
    assert attack_of({"name": "jailbreak"}).generation(settings) == settings
    with pytest.raises(BadInput, match="samples"):
        attack_of({"name": "sampling", "samples": 0})


def test_probes_of_a_task_are_asked_in_a_conversation_of_their_own():
    question = Question("Who was born in Tor?", "Ada Kel", "That was", ("A. Kel",), ("Ivo Bren",))
    example = Example(
        "a", "p1", "Where was Ada Kel born?", "Tor", ("Of where is she?",), ("Mal",), ("Torr",),
        {"frequency": "4"}, answer_prefix="In", history=(("user", "Hello"),),
        choices=("Mal", "Tor"), right=1, probes={"reverse": question},
    )  # fmt: skip
    (probe,) = attack_of({"name": "reverse"}).scored([example, *FORGET])
    assert probed(probe.id) == "a"
    assert probe.pair == Pair("Who was born in Tor?", "Ada Kel", "That was")
    assert (probe.aliases, probe.wrong) == (("A. Kel",), ("Ivo Bren",))
    assert (probe.entity, probe.strata) == (example.entity, example.strata)
    assert probe.reasked == (probe.pair.asked,)
    assert attack_of({"name": "indirect"}).scored([example, *FORGET]) == []


def test_as_many_statements_are_false_as_true_and_none_shown_is_about_the_entity():
    people = [
        Example(f"{name}{i}", name, f"Where was {name}?", f"R{i}", perturbed=(f"W{i}", "Mal"))
        for name in "abc"
        for i in range(2)
    ]
    text = Example("t", "t", "", "A text.")
    asked = attack_of({"name": "true_false", "shots": 3}).scored([*people, text])
    assert [probed(e.id) for e in asked] == [e.id for e in people for _ in range(2)]
    assert [(e.answer, e.perturbed) for e in asked[:2]] == [
        ("True", ("False",)),
        ("False", ("True",)),
    ]
    assert [e.prompt for e in asked[:2]] == [
        "Where was a? R0\nTrue or False?",
        "Where was a? W0\nTrue or False?",
    ]
    assert {e.form for e in asked} == {"choice"}, "what is told in them is no answer"
    for example in asked:
        turns = example.history
        assert [role for role, _ in turns] == ["user", "assistant"] * 3
        assert [text for _, text in turns[1::2]] == ["True", "False", "True"]
        assert not [text for _, text in turns if f"was {example.entity}?" in text]
    assert len({e.id for e in asked}) == len(asked)


def test_a_summary_has_room_for_more_than_an_answer():
    attack = attack_of({"name": "summary", "max_new_tokens": 64})
    settings = GenerationSettings(max_new_tokens=7, continuation_tokens=9)
    assert attack.generation(settings) == GenerationSettings(
        max_new_tokens=64, continuation_tokens=9
    )
    assert attack.recipe()["parameters"] == {"max_new_tokens": 64}, "outputs depend on it"
