"""Toy methods of each kind, from the target to its answers: a new method only adds its own file."""

import copy
import inspect

import numpy as np
import pytest
import torch
from toy_methods import (
    FORGET,
    RETAIN,
    TOYS,
    Difference,
    Muted,
    ToyDifference,
    ToyMuted,
    a_request,
    knowing_target,
    outputs,
    said,
    unlearned,
    weights_of,
)
from toy_models import tiny_tokenizer

from benchmark.core.examples import Prompt
from benchmark.core.method import create
from benchmark.inference.predictors import ModelPredictor
from benchmark.inference.unlearned import as_unlearned
from benchmark.models.artifacts import ArtifactStore
from benchmark.models.loading import load_model
from benchmark.pipeline.checkpoints import Checkpoints, Progress
from benchmark.tokens.batches import collate
from benchmark.tokens.prompts import encode_pair
from benchmark.training.activations import answer_states


@pytest.fixture(scope="module")
def target():
    return knowing_target()


def test_a_toy_method_is_short():
    parts = [[ToyMuted, Muted], [ToyDifference, Difference]]
    alone = [[cls] for cls in TOYS.values() if cls not in (ToyMuted, ToyDifference)]
    for classes in parts + alone:
        assert sum(len(inspect.getsource(cls).splitlines()) for cls in classes) < 30, classes


def test_the_target_knows_everything(target):
    found = outputs(target)
    for split, pairs in (("forget", FORGET), ("retain", RETAIN)):
        assert found[split][0] > 0.9
        assert found[split][1] == said(pairs)


@pytest.mark.parametrize("name", sorted(TOYS.keys() - {"toy_prefix", "toy_continual"}))
def test_a_toy_method_forgets_what_it_should_and_keeps_the_rest(name, target):
    found = outputs(unlearned(name, target))
    assert found["forget"][0] < 0.5 < 0.9 < outputs(target)["forget"][0]
    assert not set(found["forget"][1]) & set(said(FORGET))
    if "retain" in TOYS[name].sees:
        assert found["retain"][1] == said(RETAIN)
        assert found["retain"][0] > 2 * found["forget"][0]


def test_hidden_states_of_forget_are_led_astray_and_those_of_retain_stay(target):
    model = unlearned("toy_rmu", target, steps=100, strength=3.0)
    u = torch.rand(16, generator=torch.Generator().manual_seed(0))
    forget, retain = (collate(pairs, tiny_tokenizer()) for pairs in (FORGET, RETAIN))
    with torch.no_grad():
        (before,), (after,) = (answer_states(m, forget, [1]) for m in (target, model))
        (kept_before,), (kept_after,) = (answer_states(m, retain, [1]) for m in (target, model))
    goal = 3.0 * u / u.norm()
    assert (after - goal).norm(dim=-1).mean() < (before - goal).norm(dim=-1).mean() / 2
    moved, stayed = (after - before).norm(dim=-1).mean(), (kept_after - kept_before).norm(dim=-1)
    assert stayed.mean() < moved / 3


def test_a_prefix_is_before_every_question_and_the_weights_are_the_targets(target):
    result = unlearned("toy_prefix", target)
    prefix = "Where was Ada born? I do not know. Who pays Ivo? I do not know."
    assert result.division == "guardrail"
    assert torch.equal(weights_of(result.weights), weights_of(target))
    plain = ModelPredictor(target, tiny_tokenizer())
    asked = [Prompt(f"{prefix} {pair.prompt}") for pair in FORGET]
    assert outputs(result)["forget"][1] == list(plain.generate(asked, 8).values())
    assert outputs(result)["forget"][0] < outputs(target)["forget"][0]


@pytest.mark.parametrize("name", ["toy_muted", "toy_difference"])
def test_behind_changed_logits_the_target_still_knows(name, target):
    result = unlearned(name, target)
    assert result.division == "guardrail"
    assert outputs(result.weights) == outputs(target)


def test_muted_answers_have_no_probability_left(target):
    assert outputs(unlearned("toy_muted", target))["forget"][0] < 1e-3


def test_the_difference_of_two_models_is_that_of_their_logits(target):
    result = unlearned("toy_difference", target, weight=0.5)
    predictor = result.predictor(tiny_tokenizer(), "hf")
    for pair, own in predictor.score([*FORGET, *RETAIN]).items():
        prompt, answer = encode_pair(pair, tiny_tokenizer())
        tokens = torch.tensor([prompt + answer])
        with torch.no_grad():
            logits = result.model(tokens).logits - 0.5 * result.assistant(tokens).logits
        known = logits[0].log_softmax(-1)[len(prompt) - 1 : -1]
        expected = known[range(len(answer)), answer].numpy()
        np.testing.assert_allclose(own.logprobs, expected, atol=1e-3)


def test_noise_is_gone_when_the_step_is_taken(target):
    """With a learning rate of zero, nothing is left of the noise."""
    model = unlearned("toy_smoothing", target, steps=3, learning_rate=0.0, rho=0.1)
    torch.testing.assert_close(weights_of(model), weights_of(target), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["toy_continual", "toy_difference", "toy_prefix", "toy_muted"])
def test_a_second_request_finds_what_the_first_one_left(name, target, tmp_path):
    """The state passes through a checkpoint, as between two requests of a run."""
    cls, state = TOYS[name], {}
    first = a_request(cls, steps=3, forget=FORGET[:1], state=state)
    result = create(cls, {}).unlearn(copy.deepcopy(target), first)
    checkpoints = Checkpoints(ArtifactStore(tmp_path), "cell", load_model)
    checkpoints.save(Progress(1, result, state=state))
    found = checkpoints.load()
    assert as_unlearned(found.result).division == as_unlearned(result).division
    assert outputs(found.result) == outputs(result)

    second = a_request(cls, steps=3, forget=FORGET[1:], state=found.state)
    method, seen = create(cls, {}), []
    if name == "toy_continual":
        original = method.loss
        method.loss = lambda batch: (seen.append(set(batch.forget.pairs)), original(batch))[1]
    again = method.unlearn(found.result.weights, second)
    assert set(outputs(again)) == {"forget", "retain"}
    if name == "toy_continual":
        assert seen == [set(FORGET)] * 3
        assert found.state["earlier"] == [[pair.prompt, pair.answer] for pair in FORGET]
