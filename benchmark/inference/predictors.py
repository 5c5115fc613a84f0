"""Predictors: models evaluated in memory or in a vLLM engine."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from benchmark.core.examples import Pair, Prompt
from benchmark.core.request import Sampler
from benchmark.inference.generation import Tokens, generate
from benchmark.inference.scoring import AnswerScores, score_pairs, score_tokens
from benchmark.inference.vllm_engine import Engines, VllmEngine
from benchmark.models.checks import position_limit
from benchmark.models.linears import computed_by, head_in_float32
from benchmark.models.placement import looking_at
from benchmark.tokens.profile import profile_of
from benchmark.tokens.prompts import (
    closing_id,
    closing_text,
    encode_prompt,
    encode_text,
    stop_ids,
)
from benchmark.training.lora import merged

Begun = TypeVar("Begun", Prompt, str)  # what is continued: a question, or a text
ENGINE_LENGTH = 2048  # maximum tokens of a sequence in an engine; lm-eval asks for no more
_engines = Engines()  # one for the lifetime of the process
_loaded: dict[
    str, Any
] = {}  # the engine, and a weak reference to the predictor whose weights it holds


class Predictor(Protocol):
    """Anything that assigns probabilities to answers and generates continuations."""

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
        """`samples` answers to every distinct question, sampled at temperature 1."""
        ...

    def score_tokens(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[AnswerScores]:
        """Scores of every (prompt ids, answer ids) pair, in order."""
        ...

    def generate_tokens(self, prompts: Sequence[Tokens], max_new_tokens: int) -> list[list[int]]:
        """The greedy continuation of every prompt, in order, without the end token."""
        ...


@dataclass(frozen=True)
class ModelPredictor:
    """A causal language model with its tokenizer; `seed` is used for sampling."""

    model: Any
    tokenizer: Any
    seed: int = 0

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        with self._scoring():
            return score_pairs(self.model, self.tokenizer, pairs)

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> dict[Prompt, str]:
        return self._greedy(prompts, encode_prompt, max_new_tokens)

    def go_on(self, texts: Sequence[str], max_new_tokens: int) -> dict[str, str]:
        return self._greedy(texts, encode_text, max_new_tokens)

    def sample(
        self, prompts: Sequence[Prompt], max_new_tokens: int, samples: int
    ) -> dict[Prompt, tuple[str, ...]]:
        distinct = sorted(set(prompts))
        encoded = [encode_prompt(p, self.tokenizer) for p in distinct]
        pairs = zip(distinct, self._continue(encoded, max_new_tokens, samples), strict=True)
        return {prompt: tuple(map(self._text, drawn)) for prompt, drawn in pairs}

    def score_tokens(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[AnswerScores]:
        with self._scoring():
            return score_tokens(
                self.model, self.tokenizer, [(list(p), list(a)) for p, a in sequences]
            )

    def generate_tokens(self, prompts: Sequence[Tokens], max_new_tokens: int) -> list[list[int]]:
        return [greedy for (greedy,) in self._continue(prompts, max_new_tokens)]

    def _greedy(
        self, given: Sequence[Begun], encode: Callable, max_new_tokens: int
    ) -> dict[Begun, str]:
        distinct = sorted(set(given))
        encoded = [encode(begun, self.tokenizer) for begun in distinct]
        pairs = zip(distinct, self._continue(encoded, max_new_tokens), strict=True)
        return {begun: self._text(greedy) for begun, (greedy,) in pairs}

    def _continue(
        self, prompts: Sequence[Tokens], max_new_tokens: int, samples: int = 0
    ) -> list[list[list[int]]]:
        with self._fast():
            return generate(self.model, self.tokenizer, prompts, max_new_tokens, samples, self.seed)

    @contextmanager
    def _scoring(self) -> Iterator[None]:
        with self._fast(), head_in_float32(profile_of(self.tokenizer).linears, self.model):
            yield

    def _fast(self) -> AbstractContextManager:
        return computed_by(profile_of(self.tokenizer).linears, self.model)

    def _text(self, tokens: Tokens) -> str:
        """The decoded text, cut at the closing text if no single token closes answers."""
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        end = closing_text(self.tokenizer).strip() if closing_id(self.tokenizer) is None else ""
        return (text.partition(end)[0] if end else text).strip()


@dataclass(frozen=True, eq=False)
class EnginePredictor(ModelPredictor):
    """A `ModelPredictor` that generates with a vLLM engine, loading its weights when needed.

    The engine generates, and scores lm-eval's requests. Examples of a task are scored by the model
    in memory, whose scoring pass sees the full distribution, not only the most likely token.
    """

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        """Scores of every pair; on a CPU, an engine that is not running yet starts meanwhile."""
        with self._starting():
            return super().score(pairs)

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
        return self._engine().generate(
            prompts, max_new_tokens, stop, max(1, samples), temperature, self.seed
        )

    def _engine(self) -> VllmEngine:
        if not _is_alive() or _loaded["predictor"]() is not self:
            with self._saved() as folder:
                self._load(folder)
        return _loaded["engine"]

    @contextmanager
    def _starting(self) -> Iterator[None]:
        # On a GPU, vLLM measures the free memory during its startup, which nothing else may change.
        if _is_alive() or torch.cuda.is_available():
            yield
            return
        with self._saved() as folder, ThreadPoolExecutor(1) as pool:
            started = pool.submit(self._load, folder)
            yield
            started.result()

    @contextmanager
    def _saved(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="palimpsest-weights-") as folder:
            merged(self.model).save_pretrained(folder)
            yield Path(folder)

    def _load(self, folder: Path) -> None:
        length = min(position_limit(self.model) or ENGINE_LENGTH, ENGINE_LENGTH)
        engine = _engines.at(folder, str(self.model.dtype).removeprefix("torch."), length)
        _loaded.update(engine=engine, predictor=weakref.ref(self))


def _is_alive() -> bool:
    """Whether there is a running engine, whatever its weights."""
    return bool(_loaded) and _loaded["engine"].alive


def longest_sequence(tokenizer: Any, backend: str) -> int:
    """Maximum sequence length in tokens: the positions of the model, which `fit` has set on its
    tokenizer, or at most `ENGINE_LENGTH` with vLLM.
    """
    positions = tokenizer.model_max_length
    return min(positions, ENGINE_LENGTH) if backend == "vllm" else positions


def predictor_of(model: Any, tokenizer, backend: str = "hf") -> ModelPredictor:
    """The predictor of a model that generates with the given backend."""
    predictor = EnginePredictor if backend == "vllm" else ModelPredictor
    return predictor(model, tokenizer)


def sampler(tokenizer, max_new_tokens: int, seed: int) -> Sampler:
    """The function with which methods sample answers, as an evaluation in memory does."""

    def draw(model: Any, prompts: Sequence[Prompt], samples: int) -> dict[Prompt, tuple[str, ...]]:
        with looking_at(model):
            return ModelPredictor(model, tokenizer, seed).sample(prompts, max_new_tokens, samples)

    return draw
