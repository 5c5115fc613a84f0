"""The base class of methods that are a loss: everything about them but the loss itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchmark.core.examples import Pair, pair_of
from benchmark.core.method import Method, with_parameters
from benchmark.core.request import Request
from benchmark.core.words import pieces
from benchmark.tokens.batches import Batch, collate, reads_trees
from benchmark.tokens.losses import answer_logits, answer_nll
from benchmark.training.loop import Schedule, train

TREE_PAIRS = 16  # sequences of a tree, whose cost grows with the square of their tokens


@dataclass(frozen=True)
class ForgetRetainBatch:
    """What a loss sees at one step; using what the method does not declare in `sees` is a
    PermissionError.
    """

    given: dict[str, Batch]

    def _get(self, name: str) -> Batch:
        if name not in self.given:
            raise PermissionError(
                f'the loss uses the {name} set, but the method does not declare "{name}" in sees'
            )
        return self.given[name]

    @property
    def forget(self) -> Batch:
        return self._get("forget")

    @property
    def retain(self) -> Batch:
        return self._get("retain")

    @property
    def tokens(self) -> int:
        """Tokens of all sequences, padding left out."""
        return sum(sequences.tokens for sequences in self.given.values())


@with_parameters
class GradientMethod(Method):
    """Minimises `loss` for the steps of the request's budget, starting from the target.

    Subclasses write `loss(batch)`; `nll`, `reference_nll`, `logits`, `asked` and `answered` are
    their vocabulary. One that chooses what it trains on overrides `batches`; training ends when
    they do, or with the budget.
    """

    learning_rate: float = 1e-3
    lora: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """`lora` is named only where it is on: methods had no such parameter when the first
        records were made.
        """
        return {
            name: value for name, value in super().parameters.items() if name != "lora" or value
        }

    def loss(self, batch: ForgetRetainBatch) -> torch.Tensor:
        """The scalar to minimise."""
        raise NotImplementedError(f"{type(self).__name__} must define loss(batch)")

    def unlearn(self, model, request: Request):
        self._model, self._tokenizer = model, request.tokenizer
        self._reference = (
            copy.deepcopy(model).eval().requires_grad_(False) if "target" in self.sees else None
        )
        batches = (self._batch(forget, retain) for forget, retain in self.batches(request))
        schedule = Schedule(request.budget.steps, self.learning_rate, decay=False)
        train(
            model,
            batches,
            self.loss,
            schedule,
            request.meter,
            lambda batch: batch.tokens,
            self.lora,
        )
        return model

    def batches(self, request: Request) -> Iterator[tuple[list[Pair], list[Pair]]]:
        """(forget, retain) pairs of each step, asked for one after the other while the model is
        being trained.
        """
        return request.batches()

    def nll(self, batch: Batch, per_token: bool = False) -> torch.Tensor:
        """Negative log-likelihood of each answer under the model being trained, (B,); summed
        unless `per_token`.
        """
        return answer_nll(self._model, batch, per_token)

    def reference_nll(self, batch: Batch) -> torch.Tensor:
        """The same, summed, under the frozen target; needs "target" in `sees`."""
        if self._reference is None:
            raise PermissionError(
                f'{self.name} uses the target as a reference but does not declare "target" in sees'
            )
        with torch.no_grad():
            return answer_nll(self._reference, batch)

    def logits(self, batch: Batch) -> torch.Tensor:
        """Logits (N, V) of the model being trained at the N answer positions of the batch."""
        return answer_logits(self._model, batch)

    @torch.no_grad()
    def accuracy(self, pairs: Sequence[Pair]) -> list[float]:
        """Memorisation accuracy: for each pair, the share of its answer's tokens that are the
        greedy ones.
        """
        size = TREE_PAIRS if reads_trees(self._model, self._tokenizer) else len(pairs)
        batches = [
            self._collate(pairs[start : start + size]) for start in range(0, len(pairs), size)
        ]
        return [accuracy for batch in batches for accuracy in self._accuracies(batch)]

    def _accuracies(self, batch: Batch) -> list[float]:
        right = (answer_logits(self._model, batch).argmax(-1) == batch.targets).float()
        hits = torch.zeros(len(batch.pairs), device=right.device).index_add(0, batch.rows, right)
        return (hits / torch.bincount(batch.rows, minlength=len(batch.pairs))).tolist()

    def asked(self, batch: Batch) -> Batch:
        """The sequences as questions: of a text, the first half is the prompt and the rest the
        answer.
        """
        return self._collate([_as_question(pair) for pair in batch.pairs])

    def answered(self, batch: Batch, answers: list[str]) -> Batch:
        """The same as questions, with other answers: one for each sequence."""
        return self._collate(
            [
                pair_of(_as_question(pair).asked, answer)
                for pair, answer in zip(batch.pairs, answers, strict=True)
            ]
        )

    def _collate(self, pairs) -> Batch:
        return collate(pairs, self._tokenizer, self._model)

    def _batch(self, forget: list[Pair], retain: list[Pair]) -> ForgetRetainBatch:
        pairs = {"forget": forget, "retain": retain}
        return ForgetRetainBatch(
            {name: self._collate(rows) for name, rows in pairs.items() if rows}
        )


def _as_question(pair: Pair) -> Pair:
    if pair.prompt:
        return pair
    words = pieces(" ".join(pair.answer.split()))
    half = len(words) // 2
    return Pair("".join(words[:half]).rstrip(), "".join(words[half:]))
