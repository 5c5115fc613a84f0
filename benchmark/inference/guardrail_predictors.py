"""Predictors of guardrails: a constant answer, a prompt prefix, or a transform of the logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import LogitsProcessor

from benchmark.core.examples import Pair, Prompt, pair_of
from benchmark.inference.generation import Tokens, generate
from benchmark.inference.predictors import ModelPredictor
from benchmark.inference.scoring import AnswerScores, Transform, score_transformed
from benchmark.tokens.prompts import encode_pair, encode_text, shared_length, token_ids


@dataclass(frozen=True)
class ConstantPredictor:
    """A predictor that always answers with the same text.

    As a distribution, each token of the text has all probability except for the share `spread`
    (1 %), which is uniform over the vocabulary.
    """

    text: str
    tokenizer: Any
    spread: float = 0.01

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        return {pair: self._score(pair) for pair in pairs}

    def _score(self, pair: Pair) -> AnswerScores:
        before, fixed = encode_pair(pair_of(pair.asked, self.text), self.tokenizer)
        prompt, answer = encode_pair(pair, self.tokenizer)
        # The token boundary between prompt and answer may differ for the two answers.
        fixed_answer = [*before, *fixed][len(prompt) :]
        # Without prompt tokens, models are scored from the second token of a text.
        return self._compare(answer, fixed_answer, 0 if prompt else 1)

    def _compare(self, answer: Tokens, fixed: Tokens, start: int) -> AnswerScores:
        given = [*fixed, *[self.tokenizer.eos_token_id] * len(answer)]
        hits = np.array([token == other for token, other in zip(answer, given, strict=False)])
        hits = hits[start:]
        floor = self.spread / len(self.tokenizer)
        return AnswerScores(np.log(np.where(hits, 1 - self.spread + floor, floor)), hits)

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> dict[Prompt, str]:
        return dict.fromkeys(prompts, self.text)

    def go_on(self, texts: Sequence[str], max_new_tokens: int) -> dict[str, str]:
        return dict.fromkeys(texts, self.text)

    def sample(
        self, prompts: Sequence[Prompt], max_new_tokens: int, samples: int
    ) -> dict[Prompt, tuple[str, ...]]:
        return dict.fromkeys(prompts, (self.text,) * samples)

    def score_tokens(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[AnswerScores]:
        fixed = token_ids(self.tokenizer, self.text)
        return [
            self._compare(answer, fixed, 0 if len(prompt) else 1) for prompt, answer in sequences
        ]

    def generate_tokens(self, prompts: Sequence[Tokens], max_new_tokens: int) -> list[list[int]]:
        return [list(token_ids(self.tokenizer, self.text))[:max_new_tokens] for _ in prompts]


@dataclass(frozen=True)
class PrefixPredictor:
    """A model that reads the same prefix before every question and every text.

    In questions, the prefix is part of the first user turn. In texts, the same tokens are scored as
    without the prefix.
    """

    inner: ModelPredictor
    prefix: str

    @property
    def tokenizer(self) -> Any:
        return self.inner.tokenizer

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        # Examples are scored in memory, whatever the generation backend.
        here = ModelPredictor(self.inner.model, self.tokenizer)
        asked = {
            pair: pair_of(self._told_first(pair.asked), pair.answer)
            for pair in pairs
            if pair.prompt
        }
        scores = here.score(list(asked.values()))
        texts = sorted({pair for pair in pairs if not pair.prompt}, key=lambda pair: pair.answer)
        encoded = [encode_pair(pair, self.tokenizer) for pair in texts]
        of_texts = PrefixPredictor(here, self.prefix).score_tokens(encoded)
        of_answers = {pair: scores[prefixed] for pair, prefixed in asked.items()}
        return of_answers | dict(zip(texts, of_texts, strict=True))

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> dict[Prompt, str]:
        asked = {prompt: self._told_first(prompt) for prompt in prompts}
        answers = self.inner.generate(list(asked.values()), max_new_tokens)
        return {prompt: answers[prefixed] for prompt, prefixed in asked.items()}

    def go_on(self, texts: Sequence[str], max_new_tokens: int) -> dict[str, str]:
        behind = {text: f"{self.prefix} {text}" for text in texts}
        answers = self.inner.go_on(list(behind.values()), max_new_tokens)
        return {text: answers[prefixed] for text, prefixed in behind.items()}

    def sample(
        self, prompts: Sequence[Prompt], max_new_tokens: int, samples: int
    ) -> dict[Prompt, tuple[str, ...]]:
        asked = {prompt: self._told_first(prompt) for prompt in prompts}
        answers = self.inner.sample(list(asked.values()), max_new_tokens, samples)
        return {prompt: answers[prefixed] for prompt, prefixed in asked.items()}

    def score_tokens(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[AnswerScores]:
        scores = self.inner.score_tokens([self._told(*sequence) for sequence in sequences])
        return [
            _last(token_scores, len(answer) - (not prompt))
            for token_scores, (prompt, answer) in zip(scores, sequences, strict=True)
        ]

    def generate_tokens(self, prompts: Sequence[Tokens], max_new_tokens: int) -> list[list[int]]:
        prefixed = [self._told(prompt, ())[0] for prompt in prompts]
        return self.inner.generate_tokens(prefixed, max_new_tokens)

    def _told_first(self, prompt: Prompt) -> Prompt:
        """The prompt with the prefix before the first user turn."""
        turns = [role for role, _ in prompt.history]
        if "user" not in turns:
            return replace(prompt, text=f"{self.prefix} {prompt.text}")
        history, first = list(prompt.history), turns.index("user")
        history[first] = ("user", f"{self.prefix} {history[first][1]}")
        return replace(prompt, history=tuple(history))

    def _told(self, prompt: Tokens, answer: Tokens) -> tuple[list[int], list[int]]:
        """Prompt ids and answer ids, with the prefix inserted after the initial token, if any."""
        first = encode_text("", self.tokenizer)
        tokens = [*prompt, *answer]
        begun = len(first) * (shared_length(tokens, first) == len(first))
        before = [*first, *token_ids(self.tokenizer, f"{self.prefix} ")]
        return [*before, *prompt[begun:]], list(answer if prompt else answer[begun:])


def _last(scores: AnswerScores, count: int) -> AnswerScores:
    """The scores of the last `count` tokens of an answer."""
    columns = (scores.logprobs, scores.correct, scores.standardized)
    return AnswerScores(*(values[max(0, len(values) - count) :] for values in columns))


@dataclass(frozen=True, kw_only=True)
class TransformedPredictor(ModelPredictor):
    """A model in memory whose logits are transformed before each token is chosen."""

    transform: Transform

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        distinct = list(dict.fromkeys(pairs))
        encoded = [encode_pair(pair, self.tokenizer) for pair in distinct]
        return dict(zip(distinct, self.score_tokens(encoded), strict=True))

    def score_tokens(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[AnswerScores]:
        encoded = [(list(prompt), list(answer)) for prompt, answer in sequences]
        with self._fast():
            return score_transformed(self.model, self.tokenizer, encoded, self.transform)

    def _continue(
        self, prompts: Sequence[Tokens], max_new_tokens: int, samples: int = 0
    ) -> list[list[list[int]]]:
        with self._fast():
            return generate(
                self.model,
                self.tokenizer,
                prompts,
                max_new_tokens,
                samples,
                self.seed,
                _Processor(self.transform),
            )


class _Processor(LogitsProcessor):
    """A transform as a transformers `LogitsProcessor`, which sees only the last position."""

    def __init__(self, transform: Transform) -> None:
        self.transform = transform

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return self.transform(input_ids, scores[:, None])[:, 0]
