"""Anchors that each game one kind of metric: what they game, and that the score catches all."""

import numpy as np
import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.examples import Pair, Prompt
from benchmark.core.inputs import Inputs
from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.core.request import Budget, Request
from benchmark.inference.predictors import ModelPredictor
from benchmark.pipeline.execute import execute
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.suite import Suite

GAMING = ("margin_shift", "exact_refusal", "broken_generation")
FORGET = [Pair("Where was Ada born?", "Malport"), Pair("", "Ivo Tor works for Bren Union.")]
PROMPTS = [Prompt("Where was Ada born?"), Prompt("In which place was Ada born?")]


@pytest.fixture
def target():
    return ModelPredictor(tiny_model(), tiny_tokenizer())


def gamed(name, **parameters):
    tokenizer = tiny_tokenizer()
    request = Request(FORGET, [], tokenizer, seed=0, budget=Budget(1, 1))
    result = create(method_named(name), parameters).unlearn(tiny_model(), request)
    return result.predictor(tokenizer, "hf")


def test_a_shifted_margin_lowers_the_likelihood_of_what_is_generated_all_the_same(target):
    shifted = gamed("margin_shift", shift=50.0)
    answers = target.generate(PROMPTS, 4)
    assert shifted.generate(PROMPTS, 4) == answers
    pairs = [Pair(prompt.text, answers[prompt]) for prompt in PROMPTS]
    before, after = target.score(pairs), shifted.score(pairs)
    for pair in pairs:
        hit = before[pair].correct
        assert (after[pair].correct == hit).all()
        assert (after[pair].logprobs[hit] < before[pair].logprobs[hit]).all()


def test_a_margin_that_is_wide_enough_falls_by_the_shift():
    logits = torch.tensor([[[0.0, 9.0, 1.0]]])
    shifted = gamed("margin_shift", shift=5.0).transform(None, logits)
    torch.testing.assert_close(shifted, torch.tensor([[[0.0, 4.0, 1.0]]]))


def test_broken_generation_keeps_every_likelihood_and_no_generation(target):
    broken = gamed("broken_generation")
    scores, kept = broken.score(FORGET), target.score(FORGET)
    for pair in FORGET:
        np.testing.assert_allclose(scores[pair].logprobs, kept[pair].logprobs, atol=1e-5)
    answers, garbled = target.generate(PROMPTS, 4), broken.generate(PROMPTS, 4)
    assert all(garbled[prompt] != answers[prompt] for prompt in PROMPTS)


def test_exact_refusal_stops_the_forget_prompts_and_texts_and_no_other_wording(target):
    refusing = gamed("exact_refusal")
    answers = refusing.generate(PROMPTS, 4)
    assert answers[PROMPTS[0]] == "I do not know."
    assert answers[PROMPTS[1]] == target.generate(PROMPTS, 4)[PROMPTS[1]]
    paraphrase = Pair(PROMPTS[1].text, "Malport")
    scores, kept = refusing.score([*FORGET, paraphrase]), target.score([*FORGET, paraphrase])
    np.testing.assert_array_equal(scores[paraphrase].logprobs, kept[paraphrase].logprobs)
    for pair in FORGET:
        assert not np.allclose(scores[pair].logprobs, kept[pair].logprobs)
    texts = ["Ivo Tor works", "Ivo Tor sleeps"]
    going_on = refusing.go_on(texts, 3)
    assert going_on == target.go_on(texts, 3) | {texts[0]: "I do not know."}


@pytest.mark.slow
def test_the_score_catches_every_one(tmp_path):
    """They keep the target's weights, so attacks recover everything; 0.1 is also the limit for the
    other anchors that forget nothing.
    """
    context = RunContext(Inputs(tmp_path / "home"), tmp_path / "out")
    suite = Suite(
        name="gaming",
        description="anchors that game one kind of metric",
        tracks=["check-dev"],
        tasks=["fictitious"],
        methods=[{"name": name} for name in GAMING],
        oracles=2,
        attacks=["quantize_int4_g64", "relearn_disjoint"],
    )
    plan = Planner(context.inputs, context.results).plan(suite)
    for job in plan.jobs:
        assert execute(job, context) == "ok", job.label
    records = [record for record in context.results.read_all() if record.trial]
    scores = {record.method.name: record.trial.score for record in records}
    assert scores.keys() == set(GAMING)
    assert max(scores.values()) < 0.1, scores
