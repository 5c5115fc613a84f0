"""Helpers shared by tests of methods: requests, first losses, and a model's predictions and hidden
states, with one pass per token.
"""

import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.examples import Pair
from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.core.request import Budget, Meter, Request
from benchmark.inference.predictors import sampler
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.prompts import encode_pair
from benchmark.training.loop import Schedule, train

FORGET = [
    Pair("Where was Ada born?", "Malport"),
    Pair("Who pays Ivo?", "Bren Union, he says"),
    Pair("Kel", "Tor"),
]
RETAIN = [Pair("Where was Ivo born?", "Tor"), Pair("Who pays Ada?", "Kel Works")]
TEXTS = [
    Pair("", "Ada Kel was born in Malport"),
    Pair("", "Ivo Tor works"),
    Pair("", "Bren Union pays"),
]


def a_request(forget=FORGET, retain=(), steps=2, size=4, seed=0, state=None, watch=None):
    return Request(
        list(forget),
        list(retain),
        tiny_tokenizer(),
        seed=seed,
        budget=Budget(steps=steps, batch_size=size),
        meter=Meter(limit=steps, watch=watch),
        sample=sampler(tiny_tokenizer(), 8, seed),
        state={} if state is None else state,
    )


class Stop(Exception):
    """Raised at the first step to hand its loss and batch to the test."""


def first_loss(name, model, request, reference=None, **parameters):
    """The loss that the method computes at its first step, and its batch; `reference`, if given,
    takes the place of the target.
    """
    method = create(method_named(name), parameters)
    original = method.loss

    def spy(batch):
        if reference is not None:
            method._reference = reference
        raise Stop(original(batch).item(), batch)

    method.loss = spy
    with pytest.raises(Stop) as caught:
        method.unlearn(model, request)
    return caught.value.args


@torch.no_grad()
def outputs(model, pair):
    """(logits, token, hidden states of all layers) of each answer token, with one pass per token;
    of a text, from the second token.
    """
    prompt, answer = encode_pair(pair, tiny_tokenizer())
    found = []
    for i, token in enumerate(answer):
        before = prompt + answer[:i]
        if before:
            out = model(torch.tensor([before]), output_hidden_states=True)
            found.append((out.logits[0, -1], token, [h[0, -1] for h in out.hidden_states]))
    return found


def predictions(model, pair):
    return [(logits, token) for logits, token, _ in outputs(model, pair)]


def states(model, pairs, layer):
    """Hidden states after `layer` that predict each answer token of all pairs, each (H,)."""
    return [hidden[layer] for pair in pairs for _, _, hidden in outputs(model, pair)]


def nll(model, pair):
    return sum(-float(logits.log_softmax(-1)[token]) for logits, token in predictions(model, pair))


def mean_nll(model, pairs):
    return sum(nll(model, p) / len(predictions(model, p)) for p in pairs) / len(pairs)


def knowing(pairs, steps=60, model=None):
    """A model that has memorised these pairs."""
    model = model or tiny_model()
    batch = collate(list(pairs), tiny_tokenizer())
    train(
        model,
        [batch] * steps,
        lambda b: answer_nll(model, b).mean(),
        Schedule(steps, 1e-2),
        Meter(),
        lambda b: 1,
    )
    return model


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
