"""Activation patching: the depth at which a model still holds the forgotten knowledge.

At one layer, the target reads the states of the unlearned model at every position that predicts a
token of the answer. If the target then still knows the answer, the layer still holds the knowledge.
Patching an oracle into the target in the same way provides the reference: `metrics/patching.py`
computes the Unlearning Depth Score from both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from benchmark.attacks.blocks import Depth, layer_at
from benchmark.core.attack import Attack, AttackRequest
from benchmark.core.examples import Pair
from benchmark.core.registry import register_attack
from benchmark.errors import BadInput
from benchmark.inference.generation import Tokens
from benchmark.inference.guardrail_predictors import TransformedPredictor
from benchmark.inference.predictors import ModelPredictor
from benchmark.inference.scoring import AnswerScores
from benchmark.inference.unlearned import UnlearnedModel
from benchmark.metrics.stages import PATCHING, UNPATCHED
from benchmark.tokens.prompts import encode_pair
from benchmark.training.activations import blocks_of


@contextmanager
def _hooked(module: torch.nn.Module, hook: Callable) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def states_at(layer: int, model: Any, ids: torch.Tensor) -> torch.Tensor:
    """(B, L, H) residual stream after the layer's block, before any final norm; BadInput if the
    block returns more than hidden states.
    """
    kept: list[torch.Tensor] = []
    with _hooked(blocks_of(model)[layer - 1], lambda block, given, left: kept.append(left)):
        model.base_model(input_ids=ids, use_cache=False)
    if not torch.is_tensor(kept[0]):
        raise BadInput(f"blocks of {model.config.model_type} models leave more than hidden states")
    return kept[0]


@dataclass(frozen=True)
class Patched(UnlearnedModel):
    """A model that reads the states of another model, the source, at one layer."""

    source: Any
    layer: int

    def predictor(self, tokenizer: Any, backend: str) -> PatchedPredictor:
        return PatchedPredictor(self.model, tokenizer, patched=self.logits)

    def logits(self, begin: int, ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """(B, K, V) logits of the model at the last K of the tokens `ids` (B, L), with the source's
        states from position `begin` on; `logits` (B, K, V) are the unpatched ones.
        """
        states = states_at(self.layer, self.source, ids)[:, begin:]

        def patch(block: torch.nn.Module, given: Any, left: torch.Tensor) -> torch.Tensor:
            return torch.cat([left[:, :begin], states.to(left)], dim=1)

        with _hooked(blocks_of(self.model)[self.layer - 1], patch):
            patched = self.model(input_ids=ids, use_cache=False).logits
        return patched[:, -logits.shape[1] :].float()


@dataclass(frozen=True, kw_only=True)
class PatchedPredictor(ModelPredictor):
    """A predictor that patches from the position predicting an answer's first token, the last one
    of its prompt; only for models in memory.
    """

    patched: Callable[[int, torch.Tensor, torch.Tensor], torch.Tensor]

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        distinct = list(dict.fromkeys(pairs))
        encoded = [encode_pair(pair, self.tokenizer) for pair in distinct]
        return dict(zip(distinct, self.score_tokens(encoded), strict=True))

    def score_tokens(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[AnswerScores]:
        """Scores sequences whose prompts have the same length together."""
        scores: dict[int, AnswerScores] = {}
        for length in sorted({len(prompt) for prompt, _ in sequences}):
            rows = [row for row, (prompt, _) in enumerate(sequences) if len(prompt) == length]
            transform = partial(self.patched, max(0, length - 1))
            predictor = TransformedPredictor(
                self.model, self.tokenizer, self.seed, transform=transform
            )
            found = predictor.score_tokens([sequences[row] for row in rows])
            scores |= dict(zip(rows, found, strict=True))
        return [scores[row] for row in range(len(sequences))]

    def _continue(self, *asked: Any) -> list[list[list[int]]]:
        raise NotImplementedError("a patched model is scored, and generates nothing")


@register_attack(PATCHING, version=2, source="UDS (Unlearning Depth Score), 2026")
class Patching(Attack):
    """Patches the model's states at the relative depth `share` into the target, at every position
    that predicts a token of the answer, and scores the answers; also at the depths in `points`, and
    without a patch. Results are comparable only with those of an oracle patched in the same way.
    """

    scores_alone = True
    share: Depth
    points: tuple[Depth, ...] = ()

    def apply(self, model, request: AttackRequest):
        target = request.target().to(model.device)
        if _shape(target) != _shape(model):
            raise BadInput(f"patching: the model has {_shape(model)}, the target {_shape(target)}")
        request.look(UNPATCHED, target)
        for point in self.points:
            request.look(f"{point:.2f}", Patched(target, model, layer_at(point, model)))
        return Patched(target, model, layer_at(self.share, model))


def _shape(model: Any) -> str:
    return f"{len(blocks_of(model))} layers of {model.get_input_embeddings().weight.shape[1]} units"
