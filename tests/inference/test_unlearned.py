"""Results of methods: how they are queried, the weights that an attacker gets, and saving them."""

import copy
import math
import pickle
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers.processors import TemplateProcessing
from toy_models import plain_tokenizer, tiny_model, tiny_tokenizer

from benchmark.core.examples import Pair
from benchmark.core.unlearned import Unlearned
from benchmark.errors import BadInput
from benchmark.inference.guardrail_predictors import ConstantPredictor
from benchmark.inference.predictors import EnginePredictor, ModelPredictor
from benchmark.inference.scoring import RULED_OUT
from benchmark.inference.unlearned import (
    ConstantAnswers,
    LogitsTransform,
    PromptPrefix,
    Weights,
    as_unlearned,
    load_unlearned,
)
from benchmark.models.loading import load_model
from benchmark.tokens.prompts import encode_pair

PAIRS = [
    Pair("Where was Ada born?", "Malport"),
    Pair("Ivo", "Bren Union"),
    Pair("Who pays Ivo?", "Bren Union", "It is"),
    Pair("", "Ivo Tor works for Bren Union"),
    Pair("", "Ada Kel"),
]
QUESTIONS = [pair.asked for pair in PAIRS[:3]]
PREFIX = "Question: Who is Ada? Answer: I do not know."


class Unchanged(LogitsTransform):
    def transform(self, ids, logits):
        return logits


@dataclass(frozen=True)
class RuledOut(LogitsTransform):
    tokens: list

    def transform(self, ids, logits):
        return logits.index_fill(-1, torch.tensor(self.tokens), -math.inf)


class NeverTwice(LogitsTransform):
    """Rules out the token that precedes each position."""

    def transform(self, ids, logits):
        last = ids[:, -logits.shape[1] :, None]
        return logits.scatter(-1, last, -math.inf)


@dataclass(frozen=True)
class Two(LogitsTransform):
    other: Any
    weight: float
    shift: torch.Tensor

    def transform(self, ids, logits):
        return logits + self.weight * self.other(ids).logits[:, -logits.shape[1] :] + self.shift


class Broken(LogitsTransform):
    def transform(self, ids, logits):
        return logits * math.nan


def beginning_tokenizer():
    """A tokenizer that puts a beginning token before every text."""
    tokenizer = copy.deepcopy(tiny_tokenizer())
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<end> $A", special_tokens=[("<end>", 1)]
    )
    tokenizer.bos_token = "<end>"
    return tokenizer


def asking_tokenizer():
    return plain_tokenizer()


TOKENIZERS = {"bare": tiny_tokenizer, "beginning": beginning_tokenizer, "asking": asking_tokenizer}


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request):
    return TOKENIZERS[request.param]()


def all_answers(predictor, tokenizer):
    """Results of a predictor's scoring and greedy generation calls."""
    tokens = [encode_pair(pair, tokenizer) for pair in PAIRS]
    scored = predictor.score_tokens(tokens)
    return (
        [predictor.score(PAIRS)[pair].logprobs for pair in PAIRS] + [s.logprobs for s in scored],
        [predictor.score(PAIRS)[pair].standardized for pair in PAIRS],
        predictor.generate(QUESTIONS, 5),
        predictor.go_on(["Ivo Tor", "Ada"], 5),
        predictor.generate_tokens([prompt or answer[:2] for prompt, answer in tokens], 5),
    )


def assert_same(one, other):
    for a, b in zip(one[0] + one[1], other[0] + other[1], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)
    assert one[2:] == other[2:]


def test_a_bare_model_counts_as_changed_weights():
    model = tiny_model()
    own = as_unlearned(model)
    assert (own.division, own.weights) == ("weights", model)
    assert isinstance(own.predictor(tiny_tokenizer(), "hf"), ModelPredictor)
    assert isinstance(own.predictor(tiny_tokenizer(), "vllm"), EnginePredictor)
    assert as_unlearned(own) is own


@pytest.mark.parametrize(
    "guardrail",
    [
        ConstantAnswers(tiny_model(), "No."),
        PromptPrefix(tiny_model(), PREFIX),
        Unchanged(tiny_model()),
    ],
)
def test_an_attacker_holds_the_weights_behind_a_guardrail(guardrail):
    assert isinstance(guardrail, Unlearned)
    assert as_unlearned(guardrail) is guardrail
    assert guardrail.division == "guardrail"
    assert guardrail.weights is guardrail.model


def test_somebody_elses_class_is_an_unlearned_if_it_has_the_parts():
    class Own:
        division, weights = "guardrail", tiny_model()

        def predictor(self, tokenizer, backend): ...
        def save(self, folder): ...

    own = Own()
    assert as_unlearned(own) is own
    assert not isinstance(tiny_model(), Unlearned)


def test_constant_answers_are_a_distribution():
    """At every position the probabilities of all tokens sum to one."""
    tokenizer = tiny_tokenizer()
    predictor = ConstantPredictor("Bren Union", tokenizer)
    said = predictor.score([Pair("Q?", "Bren Union")])[Pair("Q?", "Bren Union")]
    assert said.correct.all()
    p_said, p_other = np.exp(said.logprobs[0]), predictor.spread / len(tokenizer)
    assert p_said + (len(tokenizer) - 1) * p_other == pytest.approx(1)
    other = predictor.score([Pair("Q?", "Malport")])[Pair("Q?", "Malport")]
    assert not other.correct[0]
    assert predictor.generate(["a", "b"], 1) == {"a": "Bren Union", "b": "Bren Union"}


def test_a_prefix_is_read_before_every_question(tokenizer):
    """Every call gives the same result as with questions that start with the prefix."""
    model, behind = tiny_model(), PromptPrefix(tiny_model(), PREFIX).predictor(tokenizer, "hf")
    plain = ModelPredictor(model, tokenizer)
    asked = {pair: replace(pair, prompt=f"{PREFIX} {pair.prompt}") for pair in PAIRS[:3]}
    expected, found = plain.score(list(asked.values())), behind.score(PAIRS)
    assert set(found) == set(PAIRS)
    for pair, own in asked.items():
        np.testing.assert_allclose(found[pair].logprobs, expected[own].logprobs, atol=1e-5)
        assert not np.allclose(found[pair].logprobs, plain.score([pair])[pair].logprobs, atol=1e-2)
    told = {prompt: replace(prompt, text=f"{PREFIX} {prompt.text}") for prompt in QUESTIONS}
    texts = {prompt.text: own.text for prompt, own in told.items()}
    for name, more, given in (("generate", (), told), ("go_on", (), texts), ("sample", (3,), told)):
        said = getattr(plain, name)(list(given.values()), 5, *more)
        assert getattr(behind, name)(list(given), 5, *more) == {
            prompt: said[own] for prompt, own in given.items()
        }


@torch.no_grad()
def test_a_prefix_is_read_before_every_text_which_is_scored_as_without_it(tokenizer):
    """The same tokens are scored as without the prefix, which follows any beginning token."""
    model = tiny_model()
    behind = PromptPrefix(model, PREFIX).predictor(tokenizer, "hf")
    text = PAIRS[3].answer
    first = [1] if tokenizer.bos_token_id is not None else []
    before = [*first, *tokenizer(f"{PREFIX} ", add_special_tokens=False)["input_ids"]]
    answer = [*tokenizer(text, add_special_tokens=False)["input_ids"], 1]
    known = model(torch.tensor([before + answer])).logits[0].log_softmax(-1)[len(before) - 1 : -1]
    expected = known[range(len(answer)), answer].numpy()[0 if first else 1 :]
    found = behind.score(PAIRS)[PAIRS[3]]
    np.testing.assert_allclose(found.logprobs, expected, atol=1e-4)
    plain = ModelPredictor(model, tokenizer).score(PAIRS)[PAIRS[3]]
    assert len(found.logprobs) == len(plain.logprobs) == len(found.correct)
    assert len(found.standardized) == len(plain.standardized)


@torch.no_grad()
def test_a_prefix_is_read_before_tokens_too(tokenizer):
    model = tiny_model()
    behind, plain = (
        PromptPrefix(model, PREFIX).predictor(tokenizer, "hf"),
        ModelPredictor(model, tokenizer),
    )
    first = [1] if tokenizer.bos_token_id is not None else []
    prefix = tokenizer(f"{PREFIX} ", add_special_tokens=False)["input_ids"]
    prompt, answer = [*first, 30, 31, 32], [33, 34]
    told = [*first, *prefix, 30, 31, 32]
    (found,), (expected,) = (
        behind.score_tokens([(prompt, answer)]),
        plain.score_tokens([(told, answer)]),
    )
    np.testing.assert_allclose(found.logprobs, expected.logprobs, atol=1e-5)
    assert behind.generate_tokens([prompt], 6) == plain.generate_tokens([told], 6)


def test_examples_are_scored_in_memory_whatever_generates():
    """Scoring the examples of a task never starts an engine."""
    here, there = (
        PromptPrefix(tiny_model(), PREFIX).predictor(tiny_tokenizer(), kind)
        for kind in ("hf", "vllm")
    )
    assert isinstance(there.inner, EnginePredictor)
    one, other = here.score(PAIRS), there.score(PAIRS)
    assert all(np.array_equal(one[pair].logprobs, other[pair].logprobs) for pair in PAIRS)


def test_a_transform_that_changes_nothing_changes_nothing(tokenizer):
    model = tiny_model()
    plain = ModelPredictor(model, tokenizer)
    unchanged = Unchanged(model).predictor(tokenizer, "vllm")  # in memory despite the backend
    assert_same(all_answers(unchanged, tokenizer), all_answers(plain, tokenizer))
    drawn = unchanged.sample(QUESTIONS, 4, 3)
    assert {prompt: len(texts) for prompt, texts in drawn.items()} == dict.fromkeys(QUESTIONS, 3)


@torch.no_grad()
def test_a_token_that_is_ruled_out_is_never_said_and_the_others_share_its_probability(tokenizer):
    model, pair = tiny_model(), PAIRS[0]
    prompt, answer = encode_pair(pair, tokenizer)
    known = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1].softmax(-1)
    out = answer[1]
    expected = np.log([float(p[a] / (1 - p[out])) for p, a in zip(known, answer, strict=True)])
    expected[[i for i, token in enumerate(answer) if token == out]] = RULED_OUT
    predictor = RuledOut(model, [out]).predictor(tokenizer, "hf")
    found = predictor.score([pair, *PAIRS])[pair]
    np.testing.assert_allclose(found.logprobs, expected, atol=1e-3)
    assert np.isfinite(found.standardized).all()
    said = ModelPredictor(model, tokenizer).generate_tokens([prompt], 8)[0]
    for token in set(said):
        muted = RuledOut(model, [token]).predictor(tokenizer, "hf")
        assert token not in muted.generate_tokens([prompt, answer], 8)[0]
        assert not [t for text in muted.sample([pair.asked], 8, 4).values() for t in text if not t]


@torch.no_grad()
def test_a_transform_sees_the_tokens_before_each_position(tokenizer):
    """Compared with one pass per position, for scoring and for generation."""
    model = tiny_model()
    guarded = NeverTwice(model)
    predictor = guarded.predictor(tokenizer, "hf")

    def following(ids):
        tokens = torch.tensor([ids])
        return guarded.transform(tokens, model(tokens).logits[:, -1:])[0, 0]

    for pair, own in predictor.score(PAIRS).items():
        prompt, answer = encode_pair(pair, tokenizer)
        ids, start = prompt + answer, max(1, len(prompt))
        expected = [
            float(following(ids[:i]).log_softmax(-1)[ids[i]]) for i in range(start, len(ids))
        ]
        np.testing.assert_allclose(own.logprobs, np.maximum(expected, RULED_OUT), atol=1e-3)
    prompts = [encode_pair(pair, tokenizer)[0] for pair in PAIRS[:3]]
    for prompt, said in zip(prompts, predictor.generate_tokens(prompts, 6), strict=True):
        ids = list(prompt)
        for token in said:
            assert int(following(ids).argmax()) == token
            ids.append(token)


def test_a_transform_that_gives_nan_is_an_error():
    with pytest.raises(FloatingPointError, match="NaN"):
        Broken(tiny_model()).predictor(tiny_tokenizer(), "hf").score(PAIRS)


@pytest.mark.parametrize(
    "kept",
    [
        Weights(tiny_model(1)),
        ConstantAnswers(tiny_model(1), "No."),
        PromptPrefix(tiny_model(1), PREFIX),
        RuledOut(tiny_model(1), [5, 6]),
        Two(tiny_model(1), tiny_model(2), -0.5, torch.arange(float(len(tiny_tokenizer())))),
    ],
    ids=lambda kept: type(kept).__name__,
)
def test_what_is_kept_answers_as_before(kept, tmp_path):
    kept.save(tmp_path)
    found = load_unlearned(tmp_path, load_model)
    assert type(found) is type(kept)
    if isinstance(kept, Two):
        assert torch.equal(found.shift, kept.shift)
    predictors = (own.predictor(tiny_tokenizer(), "hf") for own in (kept, found))
    assert_same(*(all_answers(predictor, tiny_tokenizer()) for predictor in predictors))


def test_a_class_that_is_not_known_is_named(tmp_path):
    ConstantAnswers(tiny_model(), "No.").save(tmp_path)
    text = (tmp_path / "kind.json").read_text()
    (tmp_path / "kind.json").write_text(text.replace("ConstantAnswers", "Elsewhere"))
    with pytest.raises(BadInput, match=r"unknown kind of unlearned model '.*Elsewhere'"):
        load_unlearned(tmp_path, load_model)


def test_what_cannot_be_read_again_is_not_kept(tmp_path):
    with pytest.raises((AttributeError, pickle.PicklingError, pickle.UnpicklingError)):
        RuledOut(tiny_model(), [lambda: None]).save(tmp_path)
    with pytest.raises(pickle.UnpicklingError):
        RuledOut(tiny_model(), [PAIRS[0]]).save(tmp_path)


@pytest.mark.parametrize("text", ["", None, 3])
@pytest.mark.parametrize("kind", [ConstantAnswers, PromptPrefix])
def test_a_guardrail_needs_a_text(kind, text):
    with pytest.raises(ValueError, match=f"{kind.__name__} needs a text"):
        kind(tiny_model(), text)


def test_a_prefix_stands_before_what_the_user_says_first():
    history = (("system", "Be brief."), ("user", "Who pays Ivo?"), ("assistant", "Bren Union"))
    pair = Pair("Where was Ada born?", "Malport", history=history)
    told = replace(pair, history=(history[0], ("user", f"{PREFIX} Who pays Ivo?"), history[2]))
    model, tokenizer = tiny_model(), plain_tokenizer()
    behind = PromptPrefix(model, PREFIX).predictor(tokenizer, "hf")
    plain = ModelPredictor(model, tokenizer)
    said = behind.generate([pair.asked], 4)[pair.asked]
    assert said == plain.generate([told.asked], 4)[told.asked]
    assert (behind.score([pair])[pair].logprobs == plain.score([told])[told].logprobs).all()
