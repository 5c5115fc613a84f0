"""What is evaluated: a model, or a filter that always gives the same answer."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from benchmark.core.examples import Pair, Prompt, pair_of
from benchmark.core.method import ConstantAnswers
from benchmark.inference.generation import Tokens, generate
from benchmark.inference.scoring import AnswerScores, score_pairs, score_tokens
from benchmark.inference.vllm_engine import Engines, VllmEngine
from benchmark.models.checks import position_limit
from benchmark.models.linears import fast_linears
from benchmark.tokens.prompts import (
    closing_id,
    closing_text,
    encode_pair,
    encode_prompt,
    encode_text,
    stop_ids,
    token_ids,
)
from benchmark.training.lora import merged

Begun = TypeVar("Begun", Prompt, str)  # what is gone on from: a question, or a text
ENGINE_LENGTH = 2048  # tokens of a sequence that an engine has room for, as lm-eval asks at most
_engines = Engines()  # one for the life of the process
_loaded: dict[
    str, Any
] = {}  # the engine, and a weak reference to the predictor whose weights it has


class Predictor(Protocol):
    """Anything that gives answers a probability and prompts a continuation."""

    @property
    def tokenizer(self) -> Any: ...

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]: ...

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> dict[Prompt, str]:
        """The greedy answer to every distinct question."""
        ...

    def go_on(self, texts: Sequence[str], max_new_tokens: int) -> dict[str, str]:
        """The greedy continuation of every distinct text."""
        ...

    def sample(
        self, prompts: Sequence[Prompt], max_new_tokens: int, samples: int
    ) -> dict[Prompt, tuple[str, ...]]:
        """So many answers to every distinct question, drawn at temperature 1."""
        ...

    def score_tokens(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[AnswerScores]:
        """Scores of every (prompt ids, answer ids), in order."""
        ...

    def generate_tokens(self, prompts: Sequence[Tokens], max_new_tokens: int) -> list[list[int]]:
        """The greedy continuation of every prompt, in order, without the end token."""
        ...


@dataclass(frozen=True)
class ModelPredictor:
    """A causal language model with its tokenizer."""

    model: Any
    tokenizer: Any

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        with self._fast():
            return score_pairs(self.model, self.tokenizer, pairs)

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> dict[Prompt, str]:
        return self._greedy(prompts, encode_prompt, max_new_tokens)

    def go_on(self, texts: Sequence[str], max_new_tokens: int) -> dict[str, str]:
        return self._greedy(texts, encode_text, max_new_tokens)

    def sample(
        self, prompts: Sequence[Prompt], max_new_tokens: int, samples: int
    ) -> dict[Prompt, tuple[str, ...]]:
        distinct = sorted(set(prompts))
        found = self._continue(
            [encode_prompt(p, self.tokenizer) for p in distinct], max_new_tokens, samples
        )
        return {
            prompt: tuple(map(self._text, drawn))
            for prompt, drawn in zip(distinct, found, strict=True)
        }

    def score_tokens(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[AnswerScores]:
        with self._fast():
            return score_tokens(
                self.model, self.tokenizer, [(list(p), list(a)) for p, a in sequences]
            )

    def generate_tokens(self, prompts: Sequence[Tokens], max_new_tokens: int) -> list[list[int]]:
        return [greedy for (greedy,) in self._continue(prompts, max_new_tokens)]

    def _greedy(
        self, given: Sequence[Begun], encode: Callable, max_new_tokens: int
    ) -> dict[Begun, str]:
        distinct = sorted(set(given))
        found = self._continue(
            [encode(begun, self.tokenizer) for begun in distinct], max_new_tokens
        )
        return {begun: self._text(greedy) for begun, (greedy,) in zip(distinct, found, strict=True)}

    def _continue(
        self, prompts: Sequence[Tokens], max_new_tokens: int, samples: int = 0
    ) -> list[list[list[int]]]:
        with self._fast():
            return generate(self.model, self.tokenizer, prompts, max_new_tokens, samples)

    def _fast(self) -> AbstractContextManager:
        """Models trained here stay as they are: they are too small to gain, and their numbers
        are published.
        """
        return fast_linears(self.model) if self.tokenizer.chat_template else nullcontext()

    def _text(self, tokens: Tokens) -> str:
        """What was said, up to what ends an answer where that is no token of its own."""
        said = self.tokenizer.decode(tokens, skip_special_tokens=True)
        end = closing_text(self.tokenizer).strip() if closing_id(self.tokenizer) is None else ""
        return (said.partition(end)[0] if end else said).strip()


@dataclass(frozen=True, eq=False)
class EnginePredictor(ModelPredictor):
    """The same in a vLLM engine, into which its weights are loaded when they are not there.

    The engine generates, and scores what lm-eval asks; the examples of a task are scored by the
    model in memory, whose pass knows more of a distribution than its likeliest token.
    """

    def score_tokens(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[AnswerScores]:
        return (
            [AnswerScores(*scores) for scores in self._engine().score(sequences)]
            if sequences
            else []
        )

    def _continue(
        self, prompts: Sequence[Tokens], max_new_tokens: int, samples: int = 0
    ) -> list[list[list[int]]]:
        if not prompts:
            return []
        temperature, stop = (1.0 if samples else 0.0), stop_ids(self.tokenizer, self.model)
        return self._engine().generate(prompts, max_new_tokens, stop, max(1, samples), temperature)

    def _engine(self) -> VllmEngine:
        if not _loaded or _loaded["predictor"]() is not self or not _loaded["engine"].alive:
            length = min(position_limit(self.model) or ENGINE_LENGTH, ENGINE_LENGTH)
            with tempfile.TemporaryDirectory(prefix="palimpsest-weights-") as folder:
                merged(self.model).save_pretrained(folder)
                engine = _engines.at(
                    Path(folder), str(self.model.dtype).removeprefix("torch."), length
                )
                _loaded.update(engine=engine, predictor=weakref.ref(self))
        return _loaded["engine"]


@dataclass(frozen=True)
class ConstantPredictor:
    """Always the same text: as a distribution, its tokens one after another with 1 % spread over
    the vocabulary.
    """

    text: str
    tokenizer: Any
    spread: float = 0.01

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        return {pair: self._score(pair) for pair in pairs}

    def _score(self, pair: Pair) -> AnswerScores:
        before, fixed = encode_pair(pair_of(pair.asked, self.text), self.tokenizer)
        prompt, answer = encode_pair(pair, self.tokenizer)
        said = [*before, *fixed][
            len(prompt) :
        ]  # its beginning may change another token of the prompt
        return self._compare(
            answer, said, 0 if prompt else 1
        )  # of a text, models are scored from the second token

    def _compare(self, answer: Tokens, fixed: Tokens, start: int) -> AnswerScores:
        said = [*fixed, *[self.tokenizer.eos_token_id] * len(answer)]
        hits = np.array([token == other for token, other in zip(answer, said, strict=False)])[
            start:
        ]
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


def predictor_of(result: Any, tokenizer, backend: str = "hf") -> Predictor:
    """The predictor for what a method returned."""
    if isinstance(result, ConstantAnswers):
        return ConstantPredictor(result.text, tokenizer)
    return (
        EnginePredictor(result, tokenizer)
        if backend == "vllm"
        else ModelPredictor(result, tokenizer)
    )


def weights_of(result: Any) -> Any:
    """The model that an attacker with the weights holds: filters are dropped."""
    return result.model if isinstance(result, ConstantAnswers) else result
