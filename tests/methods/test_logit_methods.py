"""Methods that subtract a second model's logits, against logits computed one token at a time."""

import copy
import math

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
from toy_models import tiny_model, tiny_tokenizer
from transformers import GPTNeoConfig, GPTNeoForCausalLM, LlamaForCausalLM, Qwen2Config
from transformers import Qwen2ForCausalLM as Qwen2

from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.inference.unlearned import as_unlearned, load_unlearned
from benchmark.models.loading import load_model
from methods._shared.layers import first_blocks
from methods._shared.requests import with_earlier
from methods.uld import LogitDifference
from methods.whp import GenericAnswers

IDS = torch.arange(2, 14).reshape(2, 6)


def learned(model, forget=FORGET):
    """Mean nll per token of the forget and retain pairs, scored through a guardrail if any."""
    predictor = as_unlearned(model).predictor(tiny_tokenizer(), "hf")
    return [
        -sum(float(s.logprobs.mean()) for s in predictor.score(pairs).values()) / len(pairs)
        for pairs in (forget, RETAIN)
    ]


def test_the_first_blocks_are_those_of_the_model_under_its_own_head():
    config = copy.deepcopy(tiny_model().config)
    config.num_hidden_layers = 4
    model = LlamaForCausalLM(config).eval()
    half = first_blocks(model, 0.5)
    states = model(IDS, output_hidden_states=True).hidden_states[2]
    torch.testing.assert_close(half(IDS).logits, model.lm_head(model.model.norm(states)))
    assert len(model.model.layers) == 4 == model.config.num_hidden_layers
    assert len(first_blocks(model, 0.01).model.layers) == 1


def test_a_shallow_copy_of_other_architectures_can_be_kept(tmp_path):
    sizes = {"vocab_size": 20, "hidden_size": 8, "bos_token_id": None, "eos_token_id": 1}
    neo = GPTNeoConfig(
        num_layers=4, num_heads=2, attention_types=[[["global", "local"], 2]], **sizes
    )
    qwen = Qwen2Config(
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=16,
        **sizes,
    )
    for model in (GPTNeoForCausalLM(neo).eval(), Qwen2(qwen).eval()):
        half = first_blocks(model, 0.5)
        half.save_pretrained(tmp_path / model.config.model_type)
        again = load_model(tmp_path / model.config.model_type)
        torch.testing.assert_close(again(IDS).logits, half(IDS).logits)


@pytest.mark.parametrize("forget", [FORGET, TEXTS], ids=["questions", "texts"])
def test_the_assistant_learns_forget_and_is_uniform_on_retain(forget):
    model = tiny_model()
    loss, batch = first_loss("uld", model, a_request(forget, RETAIN), uniform_weight=3.0)
    assistant = first_blocks(model, 0.25)
    divergences = []
    for pair in batch.retain.pairs:
        for logits, _ in predictions(assistant, pair):
            p = logits.softmax(-1)
            divergences.append(sum(math.log(1 / len(p) / float(x)) for x in p) / len(p))
    expected = mean_nll(assistant, batch.forget.pairs) + 3 * sum(divergences) / len(divergences)
    assert loss == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("floor", [0.01, 0.1])
def test_the_difference_is_taken_among_probable_tokens_alone(floor):
    """Token by token: nothing is subtracted from tokens that are neither above the k-th largest
    probability nor above a share of the largest.
    """
    model, assistant = tiny_model(0), tiny_model(1)
    result = LogitDifference(model, assistant, 0.8, floor)
    with torch.no_grad():
        logits = model(IDS).logits
        found = result.transform(IDS, logits)
        own = assistant(IDS).logits.log_softmax(-1)
    size, changed = logits.shape[-1], 0
    for row in range(2):
        for place in range(6):
            p = logits[row, place].softmax(-1)
            kth = sorted(map(float, p), reverse=True)[max(1, int(floor * size)) - 1]
            bound = min(kth, floor * float(p.max()))
            expected = logits[row, place].clone()
            for token in range(size):
                if float(p[token]) > bound * 1.0001:
                    expected[token] -= 0.8 * (own[row, place, token] + math.log(size))
                    changed += 1
            near = (p / bound - 1).abs() > 1e-3
            torch.testing.assert_close(
                found[row, place][near], expected[near], atol=1e-4, rtol=1e-4
            )
    assert 0 < changed < logits.numel()
    torch.testing.assert_close(result.transform(IDS, logits[:, -1:])[:, 0], found[:, -1])


def test_an_assistant_that_knows_nothing_changes_nothing():
    model, assistant = tiny_model(), tiny_model()
    assistant.requires_grad_(False)
    assistant.get_output_embeddings().weight.zero_()
    logits = model(IDS).logits
    found = LogitDifference(model, assistant, 0.8, 0.01).transform(IDS, logits)
    torch.testing.assert_close(found, logits)


@pytest.mark.parametrize("name", ["uld", "whp_decode"])
def test_a_guardrail_forgets_and_leaves_the_weights(name, tmp_path):
    target = knowing([*FORGET, *RETAIN])
    before = learned(target)
    shown = []
    request = a_request(
        FORGET, RETAIN, steps=60, watch=lambda result, step: shown.append((result, step))
    )
    parameters = {"learning_rate": 1e-2, "depth": 1.0} if name == "uld" else {"alpha": 5.0}
    model = copy.deepcopy(target)
    result = create(method_named(name), parameters).unlearn(model, request)
    assert as_unlearned(result).division == "guardrail"
    assert result.weights is model
    assert same(model, target)
    after = learned(result)
    assert after[0] > before[0] + 1
    assert after[1] - before[1] < (after[0] - before[0]) / 2
    assert [step for _, step in shown] == list(range(1, 61))
    assert learned(shown[-1][0]) == pytest.approx(after, rel=1e-3), "the course shows the guardrail"
    result.save(tmp_path)
    assert learned(load_unlearned(tmp_path, load_model)) == pytest.approx(after, rel=1e-4)


def test_guardrails_go_on_forgetting_what_earlier_requests_asked_for():
    conversation = type(FORGET[0])(
        "And he?", "Tor", "It is", (("user", "Hi"), ("assistant", "Yes"))
    )
    state = {}
    first = with_earlier(a_request([FORGET[0], conversation], state=state))
    assert first.forget == [FORGET[0], conversation]
    second = with_earlier(a_request([FORGET[1], FORGET[0]], state=state))
    assert second.forget == [FORGET[0], conversation, FORGET[1]]
    assert len(state["asked"]) == 3


@pytest.mark.parametrize("forget", [FORGET, TEXTS], ids=["questions", "texts"])
def test_whp_learns_labels_from_which_the_reinforced_is_taken(forget):
    """argmax(z - a relu(z_reinforced - z)) at each answer token, given the true ones before it."""
    target = knowing(forget, steps=20)
    method = create(method_named("whp"), {"alpha": 3.0, "reinforce_rate": 1e-2})
    seen = []
    original = method.loss

    def spy(batch):
        seen.append((original(batch), batch, copy.deepcopy(method._model)))
        return seen[-1][0]

    method.loss = spy
    shown = []
    request = a_request(forget, steps=6, watch=lambda model, _: shown.append(copy.deepcopy(model)))
    method.unlearn(copy.deepcopy(target), request)
    assert len(seen) == 3 == request.meter.steps - 3
    assert all(same(model, target) for model in shown[:3])
    assert not same(shown[5], target)
    reinforced = method.reinforced._model
    assert mean_nll(reinforced, forget) < mean_nll(target, forget)

    loss, batch, model = seen[-1]
    losses, others = [], 0
    for pair in batch.forget.pairs:
        steps = zip(*(predictions(own, pair) for own in (target, reinforced, model)), strict=True)
        for (base, truth), (more, _), (own, _) in steps:
            generic = [float(z - 3 * max(0.0, m - z)) for z, m in zip(base, more, strict=True)]
            label = generic.index(max(generic))
            others += label != truth
            losses.append(-float(own.log_softmax(-1)[label]))
    assert others
    assert loss.item() == pytest.approx(sum(losses) / len(losses), rel=1e-3)


def test_generic_answers_follow_the_same_logits():
    model, reinforced = tiny_model(0), tiny_model(1)
    with torch.no_grad():
        base, more = model(IDS).logits, reinforced(IDS).logits
        found = GenericAnswers(model, reinforced, 2.0).transform(IDS, base[:, -2:])
    expected = torch.where(more > base, base - 2 * (more - base), base)[:, -2:]
    torch.testing.assert_close(found, expected)


def test_whp_forgets():
    model = knowing([*FORGET, *RETAIN])
    before = mean_nll(model, FORGET)
    method = create(method_named("whp"), {"alpha": 30.0, "learning_rate": 3e-3})
    method.unlearn(model, a_request(FORGET, steps=60))
    assert mean_nll(model, FORGET) > before + 1
