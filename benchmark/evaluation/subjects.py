"""What is evaluated: a model, or a filter that always gives the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from benchmark.data import Pair
from benchmark.evaluation.generation import generate
from benchmark.evaluation.scoring import AnswerScores, score_pairs
from benchmark.method import ConstantAnswers
from benchmark.training.sequences import encode_pair


class Subject(Protocol):
    """Anything that gives answers a probability and prompts a continuation."""

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]: ...

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> dict[str, str]: ...


@dataclass(frozen=True)
class ModelSubject:
    """A causal language model with its tokenizer."""

    model: Any
    tokenizer: Any

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        return score_pairs(self.model, self.tokenizer, pairs)

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> dict[str, str]:
        return generate(self.model, self.tokenizer, prompts, max_new_tokens)


@dataclass(frozen=True)
class ConstantSubject:
    """Always the same text: as a distribution, its tokens one after another with 1 % spread over the vocabulary."""

    text: str
    tokenizer: Any
    spread: float = 0.01

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        return {pair: self._score(pair) for pair in pairs}

    def _score(self, pair: Pair) -> AnswerScores:
        _, fixed = encode_pair(Pair(pair.prompt, self.text), self.tokenizer)
        _, answer = encode_pair(pair, self.tokenizer)
        fixed = fixed + [self.tokenizer.eos_token_id] * len(answer)
        hits = np.array([token == said for token, said in zip(answer, fixed, strict=False)])
        hits = hits if pair.prompt else hits[1:]  # of a text, models are scored from the second token
        floor = self.spread / len(self.tokenizer)
        return AnswerScores(np.log(np.where(hits, 1 - self.spread + floor, floor)), hits)

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> dict[str, str]:
        return dict.fromkeys(prompts, self.text)


def subject_of(result: Any, tokenizer) -> Subject:
    """The subject for what a method returned."""
    if isinstance(result, ConstantAnswers):
        return ConstantSubject(result.text, tokenizer)
    return ModelSubject(result, tokenizer)


def weights_of(result: Any) -> Any:
    """The model that an attacker with the weights holds: filters are dropped."""
    return result.model if isinstance(result, ConstantAnswers) else result
