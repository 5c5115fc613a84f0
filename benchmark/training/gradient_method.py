"""The base class of methods that are a loss: everything about them but the loss itself."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from benchmark.data import Pair, Request
from benchmark.method import Method
from benchmark.training.loop import Schedule, train
from benchmark.training.sequences import Sequences, answer_nll, collate


@dataclass(frozen=True)
class ForgetRetainBatch:
    """What a loss sees at one step: a batch of forget and a batch of retain sequences."""

    forget: Sequences
    retain: Sequences


class GradientMethod(Method):
    """Minimises `loss` for the steps of the request's budget, starting from the target.

    Subclasses write `loss(batch)`; `nll`, `reference_nll` and `answered` are their vocabulary.
    """

    learning_rate: float = 1e-3

    def loss(self, batch: ForgetRetainBatch) -> torch.Tensor:
        """The scalar to minimise."""
        raise NotImplementedError(f"{type(self).__name__} must define loss(batch)")

    def unlearn(self, model, request: Request):
        self._model, self._tokenizer, self._meter = model, request.tokenizer, request.meter
        self._reference = copy.deepcopy(model).eval().requires_grad_(False) if "target" in self.sees else None
        batches = (ForgetRetainBatch(self._collate(f), self._collate(r)) for f, r in request.batches())
        schedule = Schedule(request.budget.steps, self.learning_rate, decay=False)
        train(model, batches, self.loss, schedule, request.meter, tokens_of=self._tokens_of)
        return model

    def nll(self, batch: Sequences, per_token: bool = False) -> torch.Tensor:
        """Negative log-likelihood of each answer under the model being trained, (B,); summed unless `per_token`."""
        return answer_nll(self._model, batch, per_token)

    def reference_nll(self, batch: Sequences) -> torch.Tensor:
        """The same, summed, under the frozen target; needs "target" in `sees`."""
        if self._reference is None:
            raise PermissionError(f'{self.name} uses the target as a reference but does not declare "target" in sees')
        with torch.no_grad():
            return answer_nll(self._reference, batch)

    def answered(self, batch: Sequences, answers: list[str]) -> Sequences:
        """The same prompts with other answers, one for each sequence."""
        return self._collate([Pair(p.prompt, a) for p, a in zip(batch.pairs, answers, strict=True)])

    def _collate(self, pairs) -> Sequences:
        return collate(pairs, self._tokenizer, self._model.device)

    def _tokens_of(self, batch: ForgetRetainBatch) -> int:
        """Tokens of a step: forget, and retain where the method declares that it uses it."""
        return batch.forget.tokens + (batch.retain.tokens if "retain" in self.sees else 0)
