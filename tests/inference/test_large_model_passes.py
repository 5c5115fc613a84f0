"""Scoring and generation for pretrained models: trees of limited size, prompts of mixed lengths
with common beginnings, and samples.
"""

import pytest
import torch
from toy_models import plain_tokenizer, tiny_model

from benchmark.core.examples import Pair, Prompt
from benchmark.inference import scoring
from benchmark.inference.generation import generate
from benchmark.inference.predictors import ModelPredictor
from benchmark.inference.scoring import score_pairs, trees_of
from benchmark.tokens.prompts import encode_pair, encode_prompt

QUESTIONS = [
    "Where was Ada Kel born?",
    "Ivo",
    "Who pays Ivo Tor and Ada?",
    "Where was Ada Kel seen?",
]
PAIRS = [Pair(question, answer) for question in QUESTIONS for answer in ("Malport", "Bren Union")]


@pytest.fixture
def asking():
    return plain_tokenizer()


@torch.no_grad()
@pytest.mark.parametrize("room", [1, 30, 1000])
def test_scores_do_not_depend_on_how_sequences_are_put_into_trees(asking, monkeypatch, room):
    model = tiny_model()
    monkeypatch.setattr(scoring, "TREE_TOKENS", room)
    scores = score_pairs(model, asking, PAIRS)
    for pair in PAIRS:
        prompt, answer = encode_pair(pair, asking)
        distribution = (
            model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        )
        own = distribution[range(len(answer)), answer]
        mean = (distribution.exp() * distribution).sum(-1)
        deviation = ((distribution.exp() * (distribution - mean[:, None]) ** 2).sum(-1)).sqrt()
        assert scores[pair].logprobs == pytest.approx(own.numpy(), abs=1e-4)
        assert scores[pair].standardized == pytest.approx(
            ((own - mean) / deviation).numpy(), abs=1e-3
        )


def test_trees_hold_every_sequence_once_and_stay_within_their_room(asking, monkeypatch):
    monkeypatch.setattr(scoring, "TREE_TOKENS", 60)
    encoded = [encode_pair(pair, asking) for pair in PAIRS]
    found = list(trees_of(encoded))
    assert sorted(row for rows in found for row in rows) == list(range(len(PAIRS)))
    assert len(found) > 1
    for rows in found:
        prefixes = {
            tuple((encoded[r][0] + encoded[r][1])[:n])
            for r in rows
            for n in range(1, sum(map(len, encoded[r])) + 1)
        }
        assert len(rows) == 1 or len(prefixes) <= 60


@torch.no_grad()
def test_prompts_of_mixed_lengths_are_continued_like_each_alone(asking):
    model = tiny_model()
    prompts = [encode_prompt(Prompt(question), asking) for question in QUESTIONS]
    assert len({len(prompt) for prompt in prompts}) > 1
    together = generate(model, asking, prompts, 6)
    for prompt, (greedy,) in zip(prompts, together, strict=True):
        said = []
        for _ in range(6):
            token = int(model(torch.tensor([[*prompt, *said]])).logits[0, -1].argmax())
            if token == asking.eos_token_id:
                break
            said.append(token)
        assert greedy == said


def test_samples_repeat_with_their_seed_and_vary(asking):
    model, prompts = (
        tiny_model(),
        [encode_prompt(Prompt(question), asking) for question in QUESTIONS],
    )
    state = torch.random.get_rng_state()
    first, again = (generate(model, asking, prompts, 5, samples=6, seed=3) for _ in range(2))
    assert first == again != generate(model, asking, prompts, 5, samples=6, seed=4)
    assert [len(own) for own in first] == [6] * len(prompts)
    assert any(len({tuple(tokens) for tokens in own}) > 1 for own in first)
    assert torch.equal(state, torch.random.get_rng_state()), (
        "the run's own random numbers are left alone"
    )


@torch.no_grad()
def test_samples_of_a_model_that_is_sure_are_its_greedy_continuations(asking):
    """Prompts of mixed lengths, one of a single token: padding and common beginnings must not leak
    into the copies.
    """
    model = tiny_model()
    model.get_output_embeddings().weight.mul_(1000)
    prompts = [encode_prompt(Prompt(question), asking) for question in QUESTIONS]
    for asked in (prompts, prompts[:1], [prompts[0][:1]], [prompts[0][:1], prompts[1]]):
        greedy = generate(model, asking, asked, 6)
        assert generate(model, asking, asked, 6, samples=3) == [own * 3 for own in greedy]


def test_a_subject_gives_samples_as_texts(asking):
    drawn = ModelPredictor(tiny_model(), asking).sample(
        [Prompt(question) for question in QUESTIONS[:2] * 2], 4, 3
    )
    assert {question.text: len(texts) for question, texts in drawn.items()} == dict.fromkeys(
        QUESTIONS[:2], 3
    )
    assert all(isinstance(text, str) for texts in drawn.values() for text in texts)
