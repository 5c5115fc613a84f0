"""Every scored architecture can be unlearned: one method of each family takes a step."""

import copy

import pytest
import torch
from architectures import SCORED, model_of
from toy_models import plain_tokenizer, tiny_model

from benchmark.core.examples import Pair
from benchmark.core.method import create
from benchmark.core.registry import method_named, methods
from benchmark.core.request import Budget, Request
from benchmark.inference.predictors import sampler
from benchmark.inference.unlearned import as_unlearned
from benchmark.models.checks import fit

# No adapter fits these, so methods that train adapters fail with one line: mixers bypass adapters
# when they read their weights, and Falcon's layers have a class of their own.
WITHOUT_ADAPTERS = ("falcon", "mamba", "mamba2")
FORGET = [Pair("Where was Ada born?", "Malport"), Pair("Who pays Ivo?", "Bren Union")]
RETAIN = [Pair("Where was Ivo born?", "Tor"), Pair("Who pays Ada?", "Kel Works")]
CONFIDENT_OF_NOTHING = {"masc": {"rho": 1e-4, "stop_share": None}}


def of_each_family():
    """The first ranked method of each family."""
    families = {}
    for name, cls in sorted(methods().items()):
        if not cls.anchor:
            families.setdefault(cls.family, name)
    return sorted(families.values())


def a_request(cls, tokenizer):
    return Request(
        forget=FORGET if "forget" in cls.sees else [],
        retain=RETAIN if "retain" in cls.sees else [],
        tokenizer=tokenizer,
        seed=0,
        budget=Budget(steps=2, batch_size=2),  # a two-phase method takes one step in each
        retrain=lambda *telling, **training: tiny_model(9),
        sample=sampler(tokenizer, 4, 0),
    )


@pytest.mark.parametrize("architecture", SCORED)
def test_an_architecture_takes_a_step_of_each_family_or_says_why_not(architecture):
    tokenizer = plain_tokenizer()
    target = model_of(architecture, SCORED[architecture])
    fit(tokenizer, target, architecture)
    failed = {}
    for name in of_each_family():
        try:
            _moves(name, copy.deepcopy(target), tokenizer)
        except Exception as error:  # all families run before failures are reported
            failed[name] = str(error)
    refused = f"{architecture} models have no linear layer that LoRA can adapt"
    assert failed == ({"loku": refused} if architecture in WITHOUT_ADAPTERS else {})


def _moves(name, model, tokenizer):
    """Asserts that weights moved unless a guardrail leaves them, and that scores are finite."""
    before = {key: value.clone() for key, value in model.state_dict().items()}
    method = create(method_named(name), CONFIDENT_OF_NOTHING.get(name, {}))
    result = as_unlearned(method.unlearn(model, a_request(method, tokenizer)))
    if result.division == "weights":
        after = result.weights.state_dict()
        assert any(not torch.equal(before[key], value) for key, value in after.items())
    scores = result.predictor(tokenizer, "transformers").score(FORGET)
    assert all(torch.isfinite(torch.tensor(scores[pair].logprobs)).all() for pair in FORGET)
