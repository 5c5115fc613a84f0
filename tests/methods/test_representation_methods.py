"""Methods that work on hidden states, against values computed one token at a time."""

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
    states,
)
from toy_models import tiny_model, tiny_tokenizer
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaForCausalLM,
)

from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.errors import BadInput
from benchmark.tokens.batches import collate
from benchmark.training.lora import adapt
from methods._shared.layers import blocks_of, down_projections, layer_at

DOWN = "model.layers.0.mlp.down_proj"


def moved(before, after):
    """Names of the weights that changed."""
    own = after.state_dict()
    return {key for key, value in before.state_dict().items() if not torch.equal(value, own[key])}


def test_layers_and_down_projections_are_found_in_other_architectures():
    sizes = {"vocab_size": 20, "bos_token_id": None, "eos_token_id": 1}
    gpt2 = GPT2LMHeadModel(GPT2Config(n_layer=4, n_embd=8, n_head=2, **sizes))
    neox = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            num_hidden_layers=4,
            hidden_size=8,
            num_attention_heads=2,
            intermediate_size=16,
            **sizes,
        )
    )
    assert [layer_at(share, gpt2) for share in (0.0, 0.25, 0.5, 1.0)] == [1, 1, 2, 3]
    assert layer_at(1.0, tiny_model()) == 1, "the last has the final norm in it"
    assert down_projections(gpt2, 3, 2) == [f"transformer.h.{i}.mlp.c_proj" for i in (1, 2)]
    assert down_projections(neox, 2, 3) == [
        f"gpt_neox.layers.{i}.mlp.dense_4h_to_h" for i in (0, 1)
    ]
    assert down_projections(tiny_model(), 1, 3) == [DOWN]
    other = tiny_model()
    other.config.num_hidden_layers = 7
    with pytest.raises(BadInput, match="no list of 7 blocks"):
        blocks_of(other)


@pytest.mark.parametrize("forget", [FORGET, TEXTS], ids=["questions", "texts"])
def test_rmu_steers_states_to_a_direction_as_long_as_a_multiple_of_the_targets_own(forget):
    """From the formula: u drawn with the seed, c = k mean |h_ref|, and squared errors averaged over
    tokens and dimensions, for pairs of different lengths.
    """
    model, reference = tiny_model(0), tiny_model(1)
    parameters = {"strength": 2.0, "retain_weight": 7.0, "depth": 0.5}
    loss, batch = first_loss(
        "rmu", model, a_request(forget, RETAIN, seed=3), reference, **parameters
    )
    u = torch.rand(16, generator=torch.Generator().manual_seed(3))
    u = u / u.pow(2).sum().sqrt()
    known = states(reference, batch.forget.pairs, 1)
    c = 2 * sum(float(h.pow(2).sum().sqrt()) for h in known) / len(known)
    steered = [float((h - c * u).pow(2).sum()) for h in states(model, batch.forget.pairs, 1)]
    kept = zip(
        states(model, batch.retain.pairs, 1), states(reference, batch.retain.pairs, 1), strict=True
    )
    moved = [float((one - other).pow(2).sum()) for one, other in kept]
    expected = sum(steered) / len(steered) / 16 + 7 * sum(moved) / len(moved) / 16
    assert loss == pytest.approx(expected, rel=1e-4)


def test_rmu_trains_the_down_projections_up_to_its_layer_alone():
    for chosen, expected in (("down_projections", {f"{DOWN}.weight"}), ("all", None)):
        model = tiny_model()
        create(method_named("rmu"), {"trained": chosen}).unlearn(model, a_request(FORGET, RETAIN))
        changed = moved(tiny_model(), model)
        assert (changed == expected) if expected else (len(changed) > 5)
        assert not any("layers.1" in name for name in changed), "above the layer no gradient comes"
        assert all(parameter.requires_grad for parameter in model.parameters())


def test_rmu_with_adapters_trains_those_of_the_same_layers():
    model = tiny_model()
    create(method_named("rmu"), {"lora": True}).unlearn(model, a_request(FORGET, RETAIN, steps=4))
    assert moved(tiny_model(), model) == {f"{DOWN}.weight"}


def test_rmu_forgets_and_spares_what_it_retains():
    model = knowing([*FORGET, *RETAIN])
    before = copy.deepcopy(model)
    create(method_named("rmu"), {"trained": "all"}).unlearn(
        model, a_request(FORGET, RETAIN, steps=40)
    )
    lost, kept = (mean_nll(model, p) - mean_nll(before, p) for p in (FORGET, RETAIN))
    assert lost > 1
    assert kept < lost / 2


def test_rmu_refuses_what_it_does_not_know():
    with pytest.raises(BadInput, match="trained"):
        create(method_named("rmu"), {"trained": "some"})


def cosine(one, other):
    dot = sum(float(a * b) for a, b in zip(one, other, strict=True))
    return dot / float(one.pow(2).sum().sqrt() * other.pow(2).sum().sqrt())


@pytest.mark.parametrize("forget", [FORGET, TEXTS], ids=["questions", "texts"])
def test_rr_turns_states_away_at_first_and_keeps_the_others_later(forget):
    """At step t of T the weights of forget and retain are 1 - t/2T and t/2T; each is checked."""
    method = create(method_named("rr"), {"weight": 4.0, "second": 0.33})
    method._model, method._tokenizer = tiny_model(0), tiny_tokenizer()
    method._reference = reference = tiny_model(1)
    request = a_request(forget, RETAIN, steps=5)
    method.before(request)
    batch = method._batch(*next(request.batches()))
    losses = [float(method.loss(batch).detach()) for _ in range(5)]

    def both(pairs):
        pairs = list(pairs)
        return list(zip(states(method._model, pairs, 1), states(reference, pairs, 1), strict=True))

    turned = [max(0.0, cosine(one, other)) for one, other in both(batch.forget.pairs)]
    apart = [float((one - other).pow(2).sum().sqrt()) for one, other in both(batch.retain.pairs)]
    away, kept = sum(turned) / len(turned), sum(apart) / len(apart)
    assert 0 < away < max(turned), "some cosines are negative, and count as zero"
    for t, found in enumerate(losses):
        share = t / 10
        assert found == pytest.approx(4 * ((1 - share) * away + share * kept), rel=1e-3)


def test_rr_averages_over_two_layers_where_there_are_two():
    config = copy.deepcopy(tiny_model().config)
    config.num_hidden_layers = 6
    method = create(method_named("rr"), {})
    method._model = LlamaForCausalLM(config)
    method.before(a_request(steps=5))
    assert method.layers == [2, 4]


def test_rr_starts_from_the_target_with_finite_gradients():
    """The distance of states to themselves is zero, where a square root has no finite gradient."""
    model = tiny_model()
    request = a_request(FORGET, RETAIN, steps=1)
    create(method_named("rr"), {}).unlearn(model, request)
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_rr_forgets_and_spares_what_it_retains():
    model = knowing([*FORGET, *RETAIN])
    before = copy.deepcopy(model)
    create(method_named("rr"), {"learning_rate": 3e-3}).unlearn(
        model, a_request(FORGET, RETAIN, steps=40)
    )
    lost, kept = (mean_nll(model, p) - mean_nll(before, p) for p in (FORGET, RETAIN))
    assert lost > 0.5
    assert kept < lost / 2


@pytest.mark.parametrize("lora", [False, True])
def test_the_latent_adversary_brings_back_what_is_forgotten_within_its_radius(lora):
    """The perturbation is added to the embeddings of the two-layer model at every token; its norm
    is at most the radius times their mean norm.
    """
    method = create(method_named("rmu_lat"), {"radius": 0.5, "inner_steps": 3, "lora": lora})
    model = tiny_model()
    method._model, method._tokenizer = model, tiny_tokenizer()
    method._reference = tiny_model(1)
    if lora:
        adapt(model)
    request = a_request(FORGET, RETAIN)
    method.before(request)
    assert (method.layer, method.attacked_layer) == (1, 0)
    batch = method._batch(*next(request.batches()))
    embedded = model.get_input_embeddings()(batch.forget.input_ids).detach()
    limit = 0.5 * float(embedded.norm(dim=-1).mean())
    delta = method._adversary(batch.forget)
    assert delta.shape == embedded.shape
    assert float(delta.norm(dim=-1).max()) == pytest.approx(limit, rel=1e-4)

    with torch.no_grad():
        plain = method.nll(batch.forget, per_token=True).mean()
        with method._added(delta):
            attacked = method.nll(batch.forget, per_token=True).mean()
        by_hand = model(inputs_embeds=embedded + delta, output_hidden_states=True)
        again = method.nll(batch.forget, per_token=True).mean()
    assert attacked < plain == again
    chosen = batch.forget.select(by_hand.logits).log_softmax(-1)
    nlls = -chosen.gather(-1, batch.forget.targets[:, None])[:, 0]
    rows = [nlls[batch.forget.rows == i].mean() for i in range(len(batch.forget.pairs))]
    assert float(attacked) == pytest.approx(float(sum(rows) / len(rows)), rel=1e-4)

    loss = method.loss(batch).item()
    steered = batch.forget.select(by_hand.hidden_states[1]) - method.goal
    (kept,) = method.reference_hidden_states(batch.retain, [1])
    (own,) = method.hidden_states(batch.retain, [1])
    moved = (own - kept).square().mean()
    assert loss == pytest.approx((steered.square().mean() + 30 * moved).item(), rel=1e-3)
    assert not model.get_input_embeddings()._forward_hooks


def test_without_inner_steps_the_latent_adversary_does_nothing():
    request = a_request(FORGET, RETAIN, seed=2)
    plain, _ = first_loss("rmu", tiny_model(), request)
    other, _ = first_loss("rmu_lat", tiny_model(), request, inner_steps=0)
    assert other == pytest.approx(plain, rel=1e-6)


def test_the_adversary_reaches_blocks_of_deeper_models():
    config = copy.deepcopy(tiny_model().config)
    config.num_hidden_layers = 6
    method = create(method_named("rmu_lat"), {})
    method._model, method._tokenizer = LlamaForCausalLM(config).eval(), tiny_tokenizer()
    method.before(a_request())
    assert (method.layer, method.attacked_layer) == (3, 2)
    batch = collate(FORGET, tiny_tokenizer())
    before = method.hidden_states(batch, [1, 2])
    with method._added(torch.ones(*batch.input_ids.shape, 16)):
        after = method.hidden_states(batch, [1, 3])
    torch.testing.assert_close(before[0], after[0])
    assert not torch.allclose(method.hidden_states(batch, [3])[0], after[1])
