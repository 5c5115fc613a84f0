"""Measurements on a model's weights: gradient norms, and the divergence from an oracle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pydantic import PositiveInt

from benchmark.attacks.asking import questions_of
from benchmark.core.attack import AttackRequest, Measurement
from benchmark.core.examples import Example
from benchmark.core.registry import register_attack
from benchmark.inference.generation import Tokens, generate
from benchmark.inference.scoring import score_tokens
from benchmark.metrics.stages import CROSS_LIKELIHOOD, GRADIENT_NORM
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.prompts import encode_prompt, stop_ids


@register_attack(GRADIENT_NORM, version=1, source="Wang et al. 2024 (Pandora's White-Box)")
class GradientNorm(Measurement):
    """Euclidean norm of the gradient of an answer's mean loss with respect to all weights, for
    forget examples and the holdout; small for examples that were trained on.
    """

    contrasts = True

    def measured(self, model, request: AttackRequest, examples: Sequence[Example]) -> list[float]:
        parameters = [p for p in model.parameters() if p.requires_grad]
        norms = []
        with torch.enable_grad():
            for example in examples:
                batch = collate([example.pair], request.tokenizer, model)
                loss = answer_nll(model, batch, per_token=True).mean()
                gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
                squares = [float(g.float().square().sum()) for g in gradients if g is not None]
                norms.append(math.sqrt(math.fsum(squares)))
        return norms


@register_attack(CROSS_LIKELIHOOD, version=1, source="FADE (arXiv 2510.12981); our reading")
class CrossLikelihood(Measurement):
    """Divergence between the answer distributions of a model and an oracle: `samples` answers to
    each question are drawn from both and scored under both.

    The mean of log p_model - log p_oracle over the model's answers plus the mean of
    log p_oracle - log p_model over the oracle's, in nats per whole answer: an unbiased estimate of
    the symmetric Kullback-Leibler divergence.
    """

    needs_oracle = True
    samples: PositiveInt
    max_new_tokens: PositiveInt

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        return questions_of(forget)

    def measured(self, model, request: AttackRequest, examples: Sequence[Example]) -> list[float]:
        oracle = request.oracle().to(model.device)
        prompts = [encode_prompt(example.pair.asked, request.tokenizer) for example in examples]
        divergences = [0.0] * len(prompts)
        for one, other in ((model, oracle), (oracle, model)):
            for row, excess in enumerate(self._excess(one, other, prompts, request)):
                divergences[row] += excess
        return divergences

    def _excess(
        self, one: Any, other: Any, prompts: Sequence[Tokens], request: AttackRequest
    ) -> list[float]:
        """For each prompt, the mean log-likelihood ratio between `one` and `other` of answers drawn
        from `one`, in nats.
        """
        drawn = generate(
            one, request.tokenizer, prompts, self.max_new_tokens, self.samples, request.seed
        )
        end = stop_ids(request.tokenizer, one)[:1]  # not in the answers, but in their likelihood
        said = [
            (list(prompt), answer + end * (len(answer) < self.max_new_tokens))
            for prompt, answers in zip(prompts, drawn, strict=True)
            for answer in answers
        ]
        likely, elsewhere = (
            np.array([scores.logprobs.sum(dtype=np.float64) for scores in judged])
            for judged in (score_tokens(model, request.tokenizer, said) for model in (one, other))
        )
        return (likely - elsewhere).reshape(len(prompts), self.samples).mean(1).tolist()
