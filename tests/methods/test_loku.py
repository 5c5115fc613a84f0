"""Low-rank knowledge unlearning: hinge, importance and adapters against plain torch."""

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
)
from toy_models import tiny_model, tiny_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.tokens.prompts import encode_pair
from benchmark.training.lora import adapt, merge
from methods.loku import inverted_hinge, split


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("forget", [FORGET, TEXTS], ids=["questions", "texts"])
def test_the_hinge_is_one_of_probabilities_averaged_over_answer_tokens(forget, lora):
    model = tiny_model()
    loss, batch = first_loss(
        "loku", copy.deepcopy(model), a_request(forget, RETAIN), lora=lora, retain_weight=2.0
    )
    hinges = []
    for pair in batch.forget.pairs:
        for logits, token in predictions(model, pair):
            p = [float(x) for x in logits.softmax(-1)]
            other = max(x for v, x in enumerate(p) if v != token)
            hinges.append(max(0.0, 1 + p[token] - other))
    expected = sum(hinges) / len(hinges) + 2 * mean_nll(model, batch.retain.pairs)
    assert loss == pytest.approx(expected, rel=1e-3), "adapters begin without changing the model"


def test_the_hinge_is_bounded_and_falls_as_another_token_takes_over():
    logits = torch.tensor([[30.0, 0, 0], [0, 0, 0], [0, 30.0, 0]])
    found = inverted_hinge(logits, torch.tensor([0, 0, 0]))
    torch.testing.assert_close(found, torch.tensor([2.0, 1.0, 0.0]))


def test_the_importance_is_the_mean_squared_gradient_of_each_sequence():
    model = tiny_model()
    method = create(method_named("loku"), {})
    method._model, method._tokenizer = model, tiny_tokenizer()
    found = method._fisher(FORGET, a_request())
    name = "model.layers.1.mlp.down_proj.weight"
    weight = model.get_parameter(name)
    expected = torch.zeros_like(weight)
    for pair in FORGET:
        prompt, answer = encode_pair(pair, tiny_tokenizer())
        labels = torch.tensor([[-100] * len(prompt) + answer])
        loss = model(input_ids=torch.tensor([prompt + answer]), labels=labels).loss
        expected += torch.autograd.grad(loss, weight)[0] ** 2 / len(FORGET)
    torch.testing.assert_close(found[name], expected, rtol=1e-3, atol=1e-9)


def test_the_split_is_the_best_of_its_rank_under_the_weights_of_rows():
    """No other B A of that rank is nearer to W when each row (an output) is weighted by the root of
    its summed importance.
    """
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(6, 9, generator=generator)
    importance = torch.rand(6, 9, generator=generator) * torch.arange(1, 7)[:, None] ** 4
    a, b = split(weight, importance, 2, 2.0)
    assert (a.shape, b.shape) == ((2, 9), (6, 2))
    rows = torch.tensor([sum(float(x) for x in row) ** 0.5 for row in importance])[:, None]
    error = (rows * (weight - 2 * b @ a)).square().sum()
    lost = torch.linalg.svdvals(rows * weight)[2:].square().sum()
    assert float(error) == pytest.approx(float(lost), rel=1e-3)
    columns = importance.sum(0).sqrt()
    assert (columns * (weight - 2 * b @ a)).square().sum() > 0


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_part_of_the_weights_moves_into_the_adapters(kind):
    """The model's logits are the same before the first step, and merging restores its weights."""
    sizes = {"vocab_size": len(tiny_tokenizer()), "bos_token_id": None, "eos_token_id": 1}
    model = tiny_model()
    if kind == "gpt2":
        model = GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=16, n_head=2, **sizes)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    method = create(method_named("loku"), {})
    method._model, method._tokenizer = model, tiny_tokenizer()
    method.before(a_request(FORGET, RETAIN))
    ids = torch.arange(2, 12)[None]
    said = model(ids).logits
    adapt(model)
    method.before_loss(model)
    torch.testing.assert_close(model(ids).logits, said, atol=1e-3, rtol=1e-3)
    layers = [m for m in model.modules() if hasattr(m, "lora_A")]
    assert all(layer.lora_B["default"].weight.abs().sum() > 0 for layer in layers)
    moved = copy.deepcopy(layers[0].lora_A["default"].weight)
    method.before_loss(model)
    assert torch.equal(moved, layers[0].lora_A["default"].weight), "once"
    merge(model)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("lora", [False, True])
def test_loku_forgets_and_spares_what_it_retains(lora):
    model = knowing([*FORGET, *RETAIN])
    before = copy.deepcopy(model)
    create(method_named("loku"), {"lora": lora}).unlearn(model, a_request(FORGET, RETAIN, steps=60))
    assert mean_nll(model, FORGET) > mean_nll(before, FORGET) + 1
    assert mean_nll(model, RETAIN) < mean_nll(before, RETAIN) + 0.3
