"""The base class of methods that are defined by a loss: everything about them but the loss."""

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

TREE_PAIRS = 16  # sequences in a prefix tree, whose cost grows with the square of its tokens
CONFIDENT = math.log(0.7 / 0.3)  # MASC's tau: the margin of a token with 70 % over its rivals


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
        """Number of tokens in all sequences, without padding."""
        return sum(sequences.tokens for sequences in self.given.values())


@with_parameters
class GradientMethod(Method):
    """A method that minimizes `loss` for the steps of the request's budget, starting at the target.

    Subclasses define `loss(batch)`, which can use `nll`, `logits` and `hidden_states` of the model
    being trained; `reference_nll`, `reference_logits` and `reference_hidden_states` of the frozen
    target; `asked`, `answered` and `whole`, which build other sequences; `accuracy`; and `sample`.
    Tensors at answer positions have N rows: row i belongs to the pair `batch.rows[i]` and to its
    answer token `batch.targets[i]`, both (N,).

    Hooks are optional: `before` and `after` the training, `before_loss` at each step, and `combine`
    for the gradients of two losses. A method that selects its training data overrides `batches`;
    training ends when the batches or the budget run out. Each of several requests gets a new
    instance, which sees only that request; `before` can store in `request.state` what later
    requests need.

    With `stop_share`, training also ends once the model is confident of at most this share of a
    forget batch's answer tokens, before a step on that batch. The rule needs neither labels nor an
    oracle (MASC, arXiv 2606.02920), and costs one forward pass per step.

    With `lora`, low-rank adapters are trained instead of the weights and merged at the end: of rank
    8 on all linear layers, or as given by a mapping of `rank`, `alpha` and `targets`. The frozen
    target is then the model with its adapters switched off, not a copy, unless `moves_target` is
    set.
    """

    # Whether `before` changes the weights, so that the model without adapters is not the target.
    moves_target: ClassVar[bool] = False
    learning_rate: float = 1e-3
    lora: bool | Lora = False
    stop_share: float | None = None

    def loss(self, batch: ForgetRetainBatch) -> Losses:
        """The loss to minimize: a scalar, or a pair (forget loss, retain loss), whose gradients are
        passed to `combine` separately.
        """
        raise NotImplementedError(f"{type(self).__name__} must define loss(batch)")

    def before(self, request: Request) -> None:
        """Called once before the first step, while the model is still the target."""

    def before_loss(self, model) -> None:
        """Called at each step before the loss is computed.

        If it changes the weights, `combine` must restore them, since the optimizer step follows it.
        """

    def combine(
        self, forget_grads: list[torch.Tensor], retain_grads: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        """The gradients to follow if the loss is a pair; their sum unless overridden.

        Each list has one tensor per trained parameter, in the model's order.
        """
        return added(forget_grads, retain_grads)

    def after(self, model) -> None:
        """Called once after the last step, with adapters merged; may change the model."""

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
        """A frozen copy of the target, or the model itself if its adapters can be switched off."""
        if self.lora and not self.moves_target:
            return model
        return copy.deepcopy(model).eval().requires_grad_(False)

    def _until_forgotten(self, request: Request) -> Iterator[ForgetRetainBatch]:
        """Yields the batches of `batches` until `stop_share` ends training."""
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
        """At most `count` parts of a batch, each with pairs from every set."""
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
        """The (forget, retain) pairs of each step, drawn one step at a time while the model is
        being trained.
        """
        return request.batches()

    def nll(self, batch: Batch, per_token: bool = False) -> torch.Tensor:
        """Negative log-likelihood of each answer under the model being trained, (B,); summed over
        its tokens, or their mean if `per_token`.
        """
        return answer_nll(self._model, batch, per_token)

    @torch.no_grad()
    def reference_nll(self, batch: Batch) -> torch.Tensor:
        """Negative log-likelihood of each answer under the frozen target, (B,), summed over its
        tokens; needs "target" in `sees`.
        """
        with self._target() as target:
            return answer_nll(target, batch)

    def logits(self, batch: Batch) -> torch.Tensor:
        """Logits (N, V) of the model being trained at the N answer positions of the batch."""
        return answer_logits(self._model, batch)

    @torch.no_grad()
    def reference_logits(self, batch: Batch) -> torch.Tensor:
        """Logits (N, V) of the frozen target at the same positions; needs "target" in `sees`."""
        with self._target() as target:
            return answer_logits(target, batch)

    def hidden_states(self, batch: Batch, layers: Sequence[int]) -> list[torch.Tensor]:
        """(N, H) hidden states after each of the layers, at the N answer positions of the batch.

        Layer 0 is the embeddings, layer l the output of the l-th block; BadInput beyond the last.
        """
        return answer_states(self._model, batch, layers)

    @torch.no_grad()
    def reference_hidden_states(self, batch: Batch, layers: Sequence[int]) -> list[torch.Tensor]:
        """(N, H) hidden states of the frozen target; needs "target" in `sees`."""
        with self._target() as target:
            return answer_states(target, batch, layers)

    def sample(self, pairs: Sequence[Pair], n: int) -> list[list[str]]:
        """For each pair, n answers to its question sampled from the current model at temperature 1;
        they may be empty.
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
        """Memorisation accuracy: for each pair, the share of its answer tokens that greedy decoding
        predicts, given the tokens before them.
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
        """The sequences as questions; a text is split into its first half as the prompt and the
        rest as the answer.
        """
        return self._collate([_as_question(pair) for pair in batch.pairs])

    def answered(self, batch: Batch, answers: list[str]) -> Batch:
        """The sequences as questions with other answers, one for each sequence."""
        return self._collate(
            [
                pair_of(_as_question(pair).asked, answer)
                for pair, answer in zip(batch.pairs, answers, strict=True)
            ]
        )

    def whole(self, batch: Batch) -> Batch:
        """The sequences with the prompt predicted like the answer: every token but the first."""
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
