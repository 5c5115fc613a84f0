"""The losses of the gradient methods, against values computed from their formulas."""

import copy
import math

import numpy as np
import pytest
import torch
from toy_models import chat_tokenizer, tiny_model, tiny_tokenizer

from benchmark.core.examples import Pair
from benchmark.core.method import create
from benchmark.core.registry import method_named, methods, task_named
from benchmark.core.request import Budget, Request
from benchmark.inference.predictors import sampler
from benchmark.inference.unlearned import as_unlearned
from benchmark.models.tracks import track_named
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.profile import with_profile
from benchmark.tokens.prompts import encode_pair
from benchmark.training.gradient_method import GradientMethod
from benchmark.training.lora import adapt, merge, merged

FORGET = [Pair("Where was Ada born?", "Malport"), Pair("Who pays Ivo?", "Bren Union")]
RETAIN = [Pair("Where was Ivo born?", "Tor"), Pair("Who pays Ada?", "Kel Works")]
TEXTS = [
    Pair("", "Ada Kel was born in Malport."),
    Pair("", "Ivo Tor works for Bren Union."),
    Pair("", "I do not."),
]
KNOWING = {"masc": {"rho": 1e-4, "stop_share": None}}  # a random model is confident of nothing
REQUESTS = {"questions": (FORGET, RETAIN), "texts": (TEXTS[:2], [TEXTS[2], RETAIN[0]])}


def a_request(sees, steps=2, seed=0, of="questions"):
    forget, retain = REQUESTS[of]
    return Request(
        forget=forget if "forget" in sees else [],
        retain=retain if "retain" in sees else [],
        tokenizer=tiny_tokenizer(),
        seed=seed,
        budget=Budget(steps=steps, batch_size=2),
        retrain=lambda *telling, **training: tiny_model(9),
        sample=sampler(tiny_tokenizer(), 4, seed),
    )


class Stop(Exception):
    """Raised at the first step to hand its loss and batch to the test."""


def loss_on_first_batch(name, model, reference=None, **parameters):
    """The loss that the method computes at its first step, and its batch."""
    method = create(method_named(name), parameters)
    original = method.loss

    def spy(batch):
        if reference is not None:
            method._reference = reference
        raise Stop(original(batch).item(), batch)

    method.loss = spy
    with pytest.raises(Stop) as caught:
        method.unlearn(model, a_request(method.sees))
    return caught.value.args


def nll(model, pairs, per_token):
    with torch.no_grad():
        return answer_nll(model, collate(list(pairs), tiny_tokenizer()), per_token)


def test_gradient_ascent_is_the_negative_mean_nll():
    model = tiny_model()
    loss, batch = loss_on_first_batch("grad_ascent", model)
    assert loss == pytest.approx(-float(nll(model, batch.forget.pairs, True).mean()), rel=1e-5)


def test_gradient_difference_adds_the_weighted_retain_nll():
    model = tiny_model()
    loss, batch = loss_on_first_batch("grad_diff", model, retain_weight=3.0)
    forget, retain = (
        nll(model, batch.forget.pairs, True).mean(),
        nll(model, batch.retain.pairs, True).mean(),
    )
    assert loss == pytest.approx(float(-forget + 3 * retain), rel=1e-5)


def test_npo_follows_equation_3_on_summed_likelihoods():
    """-(2/b) log sigmoid(b (nll_model - nll_ref)), on whole answers, not on logits or token
    means.
    """
    model, reference = tiny_model(0), tiny_model(1)
    loss, batch = loss_on_first_batch("npo", model, reference, beta=0.5, retain_weight=2.0)
    terms = []
    for own, other in zip(
        nll(model, batch.forget.pairs, False),
        nll(reference, batch.forget.pairs, False),
        strict=True,
    ):
        terms.append(-(2 / 0.5) * math.log(1 / (1 + math.exp(-0.5 * float(own - other)))))
    retain = float(nll(model, batch.retain.pairs, True).mean())
    assert loss == pytest.approx(sum(terms) / len(terms) + 2 * retain, rel=1e-4)


def test_npo_starts_at_log_2_where_model_and_target_are_the_same():
    loss, _ = loss_on_first_batch("npo", tiny_model(), retain_weight=0.0, beta=0.1)
    assert loss == pytest.approx(20 * math.log(2), rel=1e-5)


def test_idk_trains_refusals_on_forget_prompts():
    model = tiny_model()
    loss, batch = loss_on_first_batch("idk", model)
    refusals = ["I do not know.", "I cannot say."]
    refused = [Pair(p.prompt, r) for p, r in zip(batch.forget.pairs, refusals, strict=True)]
    expected = nll(model, refused, True).mean() + nll(model, batch.retain.pairs, True).mean()
    assert loss == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("of", REQUESTS)
@pytest.mark.parametrize("name", methods())
def test_contract(name, of):
    """Every method returns a usable model, stays within its budget, and is reproducible from its
    seed.
    """
    method = method_named(name)
    assert method.__doc__
    results = []
    for _ in range(2):
        request = a_request(method.sees, of=of)
        results.append(create(method, KNOWING.get(name, {})).unlearn(tiny_model(), request))
        assert request.meter.steps <= request.budget.steps
    states = [as_unlearned(result).weights.state_dict() for result in results]
    assert all(torch.isfinite(tensor).all() for tensor in states[0].values())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("of", REQUESTS)
@pytest.mark.parametrize("name", [n for n, m in methods().items() if not m.anchor])
def test_competitors_change_what_is_said_and_count_their_tokens(name, of):
    """Methods in the division `weights` change weights; guardrails leave them and change scores."""
    method, request = method_named(name), a_request(method_named(name).sees, of=of)
    before = copy.deepcopy(tiny_model().state_dict())
    result = as_unlearned(create(method, KNOWING.get(name, {})).unlearn(tiny_model(), request))
    after = result.weights.state_dict()
    changed = any(not torch.equal(before[key], after[key]) for key in before)
    assert changed == (result.division == "weights")
    if issubclass(method, GradientMethod):
        assert request.meter.tokens > 0
    if not changed:
        scores = [
            as_unlearned(own).predictor(tiny_tokenizer(), "hf").score(request.forget)
            for own in (result, tiny_model())
        ]
        assert any(
            not np.allclose(scores[0][pair].logprobs, scores[1][pair].logprobs)
            for pair in request.forget
        )


ASSISTED = {"uld", "whp_decode"}  # train a second model and leave the target's weights
GRADIENT_METHODS = [
    name
    for name, method in methods().items()
    if issubclass(method, GradientMethod) and name not in ASSISTED
]


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_every_gradient_method_can_train_adapters_that_end_in_the_weights(name):
    """Includes the second half of `tau`, here on all pairs; `undo` runs without its damage."""
    method, model = method_named(name), tiny_model()
    names = set(model.state_dict())
    own = (KNOWING | {"tau": {"threshold": -1.0}, "undo": {"alpha": 0.0}}).get(name, {})
    given = {"lora": True, "learning_rate": 1e-3} | own
    after = create(method, given).unlearn(model, a_request(method.sees, steps=4))
    assert set(after.state_dict()) == names
    assert all(parameter.requires_grad for parameter in after.parameters())
    before = tiny_model().state_dict()
    changed = {
        key for key, value in after.state_dict().items() if not torch.equal(value, before[key])
    }
    assert changed
    assert all("proj" in key for key in changed), "of linear layers alone"


def test_adapters_are_trained_where_activations_are_computed_again():
    after = []
    for again in (False, True):
        model = tiny_model()
        if again:
            model.gradient_checkpointing_enable()
        method = method_named("grad_diff")
        after.append(
            create(method, {"lora": True, "learning_rate": 1e-3}).unlearn(
                model, a_request(method.sees)
            )
        )
    for one, other in zip(after[0].parameters(), after[1].parameters(), strict=True):
        torch.testing.assert_close(one, other)
    assert len(after[1].get_input_embeddings()._forward_hooks) == 1, (
        "the one of checkpointing, none of adapters"
    )


def test_adapters_are_merged_in_float32_whatever_was_computed_in():
    weights = []
    for enabled in (False, True):
        model = tiny_model()
        adapt(model)
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if "lora_B" in key:
                    parameter.fill_(0.123)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            merge(model)
        weights.append(model.state_dict())
    assert all(
        torch.equal(weights[0][key], weights[1][key]) for key in weights[0] if "lora" not in key
    )


def test_a_model_being_adapted_has_a_plain_copy_that_says_the_same():
    model, tokens = tiny_model(), torch.arange(2, 12)[None]
    names = set(model.state_dict())
    assert merged(model) is model
    adapt(model)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_B" in key:
                parameter.fill_(0.05)
        plain = merged(model)
        assert set(plain.state_dict()) == names
        torch.testing.assert_close(plain(tokens).logits, model(tokens).logits, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(plain(tokens).logits, tiny_model()(tokens).logits)
    assert any("lora_B" in key for key in model.state_dict()), (
        "the model itself goes on being trained"
    )


def test_gradient_methods_raise_the_loss_of_what_they_forget():
    for name in ("grad_ascent", "grad_diff", "npo"):
        request = a_request(method_named(name).sees, steps=30)
        model = create(method_named(name), {"learning_rate": 1e-3}).unlearn(tiny_model(), request)
        assert nll(model, FORGET, True).mean() > nll(tiny_model(), FORGET, True).mean()


def test_a_loss_that_uses_what_it_does_not_declare_is_refused():
    class Sneaky(method_named("grad_ascent")):
        def loss(self, batch):
            return self.nll(batch.retain).mean()

    with pytest.raises(PermissionError, match="retain"):
        Sneaky().unlearn(tiny_model(), a_request({"forget"}))

    class Peeking(method_named("grad_ascent")):
        def loss(self, batch):
            return self.reference_nll(batch.forget).mean()

    with pytest.raises(PermissionError, match="target"):
        Peeking().unlearn(tiny_model(), a_request({"forget"}))


def test_a_text_is_asked_about_by_its_first_half_in_scripts_without_spaces_too():
    method = create(method_named("idk"), {})
    method._model, method._tokenizer = tiny_model(), tiny_tokenizer()
    texts = [Pair("", "Ada Kel was born in Malport."), Pair("", "她住在东京。")]
    asked = method.asked(collate(texts, tiny_tokenizer()))
    assert asked.pairs == (Pair("Ada Kel was", "born in Malport."), Pair("她住", "在东京。"))


@pytest.mark.parametrize("name", ["memorized", "hubble"])
def test_a_chat_model_is_asked_for_a_text_as_it_stands(name):
    """A text that is read and scored as running text must not be unlearned as a conversation."""
    profile = track_named("smollm2-135m").on(task_named(name)).profile
    tokenizer = chat_tokenizer("{% for m in messages %}{{ '<turn>' + m['content'] }}{% endfor %}")
    method = create(method_named("idk"), {})
    method._model, method._tokenizer = tiny_model(), with_profile(tokenizer, profile)
    text = Pair("", "Ada Kel was born in Malport.")
    asked = method.asked(collate([text], tokenizer))
    [half] = asked.pairs
    before, answer = encode_pair(half, tokenizer)
    assert tokenizer.decode(before + answer) == f"{text.answer}<end>"
