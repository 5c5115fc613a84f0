"""Measurements of weights: gradients against backward(), divergences against exact values."""

import copy
import math

import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.attack import AttackRequest
from benchmark.core.examples import Example
from benchmark.core.registry import attack_of
from benchmark.core.request import Budget
from benchmark.tokens.prompts import encode_pair, encode_prompt

FORGET = [Example(f"e{i}", "p", f"Question {i}?", f"Answer {i}") for i in range(3)]
TEXT = Example("t", "t", "", "A text that is told.")


def a_request(oracle=tiny_model):
    return AttackRequest(
        forget=FORGET,
        retain=[],
        tokenizer=tiny_tokenizer(),
        budget=Budget(8, 4),
        seed=0,
        target=tiny_model,
        oracle=oracle,
    )


def other_model():
    """A model with different outputs."""
    model = copy.deepcopy(tiny_model())
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model


def test_gradient_norm_is_that_of_the_mean_loss_in_all_weights():
    model, examples = tiny_model(), [*FORGET, TEXT]
    with torch.no_grad():  # attacks may run in this context
        norms = attack_of({"name": "gradient_norm"}).measured(model, a_request(), examples)
    assert all(parameter.grad is None for parameter in model.parameters())
    for example, norm in zip(examples, norms, strict=True):
        prompt, answer = encode_pair(example.pair, tiny_tokenizer())
        ids = torch.tensor([[*prompt, *answer]])
        fresh = tiny_model()
        logprobs = fresh(input_ids=ids).logits[0].log_softmax(-1)
        begin = max(1, len(prompt))
        losses = [-logprobs[i - 1, ids[0, i]] for i in range(begin, ids.shape[1])]
        torch.stack(losses).mean().backward()
        squares = sum(
            float(p.grad.square().sum()) for p in fresh.parameters() if p.grad is not None
        )
        assert norm == pytest.approx(math.sqrt(squares), rel=1e-4)


def cross(samples=2, length=4):
    return attack_of({"name": "cross_likelihood", "samples": samples, "max_new_tokens": length})


def test_a_model_does_not_diverge_from_itself_and_texts_are_left_out():
    assert cross().scored([*FORGET, TEXT]) == FORGET
    assert cross().measured(tiny_model(), a_request(), FORGET) == [0, 0, 0]


def test_the_same_seed_draws_the_same():
    one, other = (cross().measured(other_model(), a_request(), FORGET) for _ in range(2))
    assert one == other


def test_with_a_single_token_it_is_the_symmetric_divergence():
    """For a single token, the exact value follows from the two next-token distributions."""
    model, oracle = other_model(), tiny_model()
    estimate = cross(samples=4000, length=1).measured(model, a_request(), FORGET[:1])
    prompt = torch.tensor([list(encode_prompt(FORGET[0].pair.asked, tiny_tokenizer()))])
    p, q = (m(input_ids=prompt).logits[0, -1].double().log_softmax(-1) for m in (model, oracle))
    exact = ((p.exp() - q.exp()) * (p - q)).sum()
    assert estimate == pytest.approx([float(exact.detach())], rel=0.1)
