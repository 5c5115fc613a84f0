"""Soft prompts: embeddings placed before every prompt and trained to elicit forgotten knowledge."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import PositiveFloat, PositiveInt

from benchmark.attacks.relearn import Points, halves
from benchmark.core.attack import Attack, AttackRequest
from benchmark.core.examples import Example, Pair
from benchmark.core.registry import register_attack
from benchmark.core.request import Meter
from benchmark.inference.generation import Tokens
from benchmark.inference.predictors import ModelPredictor
from benchmark.inference.scoring import AnswerScores
from benchmark.inference.unlearned import UnlearnedModel
from benchmark.models.placement import seeded
from benchmark.tokens.batches import Sequences, padded
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.prompts import encode_pair, encode_text, shared_length
from benchmark.training.loop import Schedule, train


class ExtendedEmbedding(torch.nn.Module):
    """A model's embedding with k additional soft tokens, whose ids follow the existing ones."""

    def __init__(self, words: torch.nn.Embedding, first: torch.Tensor) -> None:
        """`first` (k, H) are the initial embeddings of the soft tokens."""
        super().__init__()
        self.words, self.soft = words, torch.nn.Parameter(first)

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of the soft tokens."""
        known = self.words.num_embeddings
        return tuple(range(known, known + len(self.soft)))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        known = self.words.num_embeddings
        words, soft = self.words(ids.clamp(max=known - 1)), self.soft[(ids - known).clamp(min=0)]
        return torch.where((ids >= known)[..., None], soft.to(words.dtype), words)


def behind(soft: Tokens, sequence: tuple[Tokens, Tokens], tokenizer: Any) -> tuple[list, list]:
    """(prompt ids, answer ids) with the soft tokens before the prompt, but after the token that
    begins every text, if there is one.

    Without a prompt, the first token of the text, which is not scored, becomes the prompt.
    """
    prompt, answer = sequence
    if not prompt:
        prompt, answer = answer[:1], answer[1:]
    begun = shared_length(prompt, encode_text("", tokenizer))
    return [*prompt[:begun], *soft, *prompt[begun:]], list(answer)


class SoftPredictor(ModelPredictor):
    """A predictor for a model with an extended embedding that puts the soft tokens before every
    prompt; only for models in memory.
    """

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        distinct = list(dict.fromkeys(pairs))
        encoded = [encode_pair(pair, self.tokenizer) for pair in distinct]
        return dict(zip(distinct, self.score_tokens(encoded), strict=True))

    def score_tokens(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[AnswerScores]:
        return super().score_tokens([self._behind(sequence) for sequence in sequences])

    def _continue(
        self, prompts: Sequence[Tokens], max_new_tokens: int, samples: int = 0
    ) -> list[list[list[int]]]:
        begun = [self._behind((prompt, ()))[0] for prompt in prompts]
        return super()._continue(begun, max_new_tokens, samples)

    def _behind(self, sequence: tuple[Tokens, Tokens]) -> tuple[list, list]:
        return behind(self.model.get_input_embeddings().ids, sequence, self.tokenizer)


@dataclass(frozen=True)
class SoftPrompted(UnlearnedModel):
    """A model with an extended embedding, whose soft tokens precede every prompt."""

    def predictor(self, tokenizer: Any, backend: str) -> SoftPredictor:
        return SoftPredictor(self.model, tokenizer)


@register_attack(
    "soft_prompt", version=1, source="Schwinn et al. 2024 (Soft Prompt Threats), section 3"
)
class SoftPrompt(Attack):
    """Trains `tokens` embeddings before the prompt for `steps` steps to elicit the answers about
    half of the forget set's entities; the other half is scored, also after the steps in `points`.
    The model's weights stay unchanged.
    """

    kept = 24
    tokens: PositiveInt
    steps: PositiveInt
    learning_rate: PositiveFloat
    points: Points = ()

    def apply(self, model, request: AttackRequest):
        rng = random.Random(f"soft-prompt-{request.seed}")
        extended = self._extended(model, rng)
        pairs = [example.pair for example in halves(request.forget)[0]]
        size = min(request.budget.batch_size, len(pairs))
        prompted = SoftPrompted(extended)

        def watch(_: Any, steps: int) -> None:
            if steps in self.points:
                request.look(f"{steps:03d}", prompted)

        batches = (_batch(rng.sample(pairs, size), extended, request) for _ in range(self.steps))
        with seeded(request.seed):  # for dropout
            train(
                extended,
                batches,
                lambda batch: answer_nll(extended, batch, per_token=True).mean(),
                Schedule(self.steps, self.learning_rate, decay=False),
                Meter(watch=watch),
                tokens_of=lambda batch: batch.tokens,
            )
        return prompted

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        return halves(forget)[1]

    def _extended(self, model: Any, rng: random.Random) -> Any:
        """A copy of the model in which only the soft tokens' embeddings are trained; they are
        initialized from random tokens.
        """
        extended = copy.deepcopy(model).requires_grad_(False)
        words = extended.get_input_embeddings()
        drawn = [rng.randrange(words.num_embeddings) for _ in range(self.tokens)]
        with torch.no_grad():
            first = words(torch.tensor(drawn, device=words.weight.device)).clone()
        extended.set_input_embeddings(ExtendedEmbedding(words, first))
        return extended


def _batch(pairs: Sequence[Pair], extended: Any, request: AttackRequest) -> Sequences:
    soft, tokenizer = extended.get_input_embeddings().ids, request.tokenizer
    encoded = [behind(soft, encode_pair(pair, tokenizer), tokenizer) for pair in pairs]
    return padded(pairs, encoded, tokenizer.pad_token_id, extended.device)
