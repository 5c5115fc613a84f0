"""The base class of methods that are a loss: everything about them but the loss itself."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from benchmark.core.examples import Pair, pair_of
from benchmark.core.method import Method, with_parameters
from benchmark.core.request import Request
from benchmark.core.words import pieces
from benchmark.tokens.batches import Batch, collate, reads_trees
from benchmark.tokens.losses import answer_logits, answer_nll, margins
from benchmark.training.activations import answer_states
from benchmark.training.loop import Losses, Schedule, added, train
from benchmark.training.lora import Lora, without_adapters

TREE_PAIRS = 16  # sequences of a tree, whose cost grows with the square of their tokens
CONFIDENT = math.log(0.7 / 0.3)  # MASC's tau: the margin of a token with 70 % against its rivals


@dataclass(frozen=True)
class ForgetRetainBatch:
    """The data of one training step. Using a set that the method does not declare in `sees` raises
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
    """Minimizes `loss` for the steps of the request's budget, starting from the target.

    Subclasses define `loss(batch)`, which can use `nll`, `logits`, `hidden_states` of the model
    being trained, `reference_nll`, `reference_logits`, `reference_hidden_states` of the frozen
    target, `asked`, `answered` and `whole` for other sequences, `accuracy`, and `sample`. Tensors
    at answer positions have N rows: row i belongs to the pair `batch.rows[i]` and to its answer
    token `batch.targets[i]`, both (N,).

    They may define hooks: `before` and `after` the training, `before_loss` at each step, and
    `combine` for gradients of two losses. One that chooses what it trains on overrides `batches`;
    training ends when they do, or with the budget. Each of several requests gets a new instance,
    which sees only that request; store in `request.state`, in `before`, what later requests need.

    With `stop_share` training also ends as soon as the model is confident of at most this share of
    a forget batch's answer tokens, before a step is taken on it. The rule needs neither labels nor
    an oracle (MASC, arXiv 2606.02920), and costs a forward pass per step.

    With `lora` low-rank adapters are trained instead of the weights, and merged at the end: of rank
    8 on all linear layers, or as a mapping of `rank`, `alpha` and `targets` says. The frozen target
    is then the model with its adapters switched off, not a copy.
    """

    # Whether `before` moves the weights, so that the target is no longer what adapters stand on.
    moves_target: ClassVar[bool] = False
    learning_rate: float = 1e-3
    lora: bool | Lora = False
    stop_share: float | None = None

    def loss(self, batch: ForgetRetainBatch) -> Losses:
        """The loss to minimize: a scalar, or (forget loss, retain loss) whose gradients are passed
        to `combine` separately.
        """
        raise NotImplementedError(f"{type(self).__name__} must define loss(batch)")

    def before(self, request: Request) -> None:
        """Called once, before the first step: the model is still the target."""

    def before_loss(self, model) -> None:
        """Called at each step, before the loss is computed.

        If it moves the weights, `combine` has to move them back: the step is taken after it.
        """

    def combine(
        self, forget_grads: list[torch.Tensor], retain_grads: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        """The gradients to follow, where the loss is a pair: their sum unless overridden.

        Each list has a tensor for every parameter that is trained, in the model's order.
        """
        return added(forget_grads, retain_grads)

    def after(self, model) -> None:
        """Called once, after the last step and with adapters merged; may change the model."""

    def unlearn(self, model, request: Request):
        self._model, self._tokenizer, self._sample = model, request.tokenizer, request.sample
        self._reference = self._frozen(model) if "target" in self.sees else None
        self.before(request)
        train(
            model,
            self._until_forgotten(request),
            self._losses,
            Schedule(request.budget.steps, self.learning_rate, decay=False),
            request.meter,
            lambda batch: batch.tokens,
            self.lora,
            self.combine,
            self._parts,
        )
        self.after(model)
        return model

    def _frozen(self, model) -> Any:
        """A copy of the target; the model itself where its adapters can be switched off."""
        if self.lora and not self.moves_target:
            return model
        return copy.deepcopy(model).eval().requires_grad_(False)

    def _until_forgotten(self, request: Request) -> Iterator[ForgetRetainBatch]:
        """The batches of `batches`, up to where `stop_share` ends training."""
        for forget, retain in self.batches(request):
            batch = self._batch(forget, retain)
            if self.stop_share is not None and self._confident(batch.forget) <= self.stop_share:
                return
            yield batch

    @torch.no_grad()
    def _confident(self, batch: Batch) -> float:
        """The share of answer tokens with a margin above `CONFIDENT`."""
        sure = margins(self.logits(batch), batch.targets) > CONFIDENT
        return sure.float().mean().item()

    def _parts(self, batch: ForgetRetainBatch, count: int) -> list[ForgetRetainBatch]:
        """At most so many parts of a batch, each with pairs of every set."""
        sets = {name: batch.given[name].pairs for name in batch.given} if count > 1 else {}
        count = min([count, *(len(pairs) for pairs in sets.values())])
        if count == 1:
            return [batch]
        return [
            ForgetRetainBatch({n: self._collate(pairs[i::count]) for n, pairs in sets.items()})
            for i in range(count)
        ]

    def _losses(self, batch: ForgetRetainBatch) -> Losses:
        self.before_loss(self._model)
        return self.loss(batch)

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

    @torch.no_grad()
    def reference_nll(self, batch: Batch) -> torch.Tensor:
        """The same, summed, under the frozen target; needs "target" in `sees`."""
        with self._target() as target:
            return answer_nll(target, batch)

    def logits(self, batch: Batch) -> torch.Tensor:
        """Logits (N, V) of the model being trained at the N answer positions of the batch."""
        return answer_logits(self._model, batch)

    @torch.no_grad()
    def reference_logits(self, batch: Batch) -> torch.Tensor:
        """The same of the frozen target; needs "target" in `sees`."""
        with self._target() as target:
            return answer_logits(target, batch)

    def hidden_states(self, batch: Batch, layers: Sequence[int]) -> list[torch.Tensor]:
        """States (N, H) after each of the layers, at the same positions.

        Layer 0 are the embeddings, layer l what the l-th block leaves; BadInput beyond the last.
        """
        return answer_states(self._model, batch, layers)

    @torch.no_grad()
    def reference_hidden_states(self, batch: Batch, layers: Sequence[int]) -> list[torch.Tensor]:
        """The same of the frozen target; needs "target" in `sees`."""
        with self._target() as target:
            return answer_states(target, batch, layers)

    def sample(self, pairs: Sequence[Pair], n: int) -> list[list[str]]:
        """For each pair n answers of the model as it is now to its question, drawn at temperature
        1; they may be empty.
        """
        if self._sample is None:
            raise RuntimeError("this request has no sampler")
        prompts = [_as_question(pair).asked for pair in pairs]
        drawn = self._sample(self._model, prompts, n)
        return [list(drawn[prompt]) for prompt in prompts]

    @contextmanager
    def _target(self) -> Iterator[Any]:
        if self._reference is None:
            raise PermissionError(
                f'{self.name} uses the target as a reference but does not declare "target" in sees'
            )
        if self._reference is not self._model:
            yield self._reference
            return
        with without_adapters(self._model):
            yield self._model

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

    def whole(self, batch: Batch) -> Batch:
        """The same sequences with the question predicted like the answer: all tokens but the
        first.
        """
        return collate(batch.pairs, self._tokenizer, self._model, whole=True)

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
