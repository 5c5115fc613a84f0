"""The one training loop, used by pretraining, task training, methods and attacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from inspect import ismethod
from typing import TypeVar

import torch

from benchmark.core.request import Meter
from benchmark.core.updates import USUAL, Updates
from benchmark.training.lora import Lora, adapt, merge
from benchmark.training.optimizers import optimizer_for, set_rate
from benchmark.training.sharding import (
    give_gradients,
    gradients,
    own_parts,
    own_shares,
    processes,
    sharded,
)

Batch = TypeVar("Batch")
Losses = torch.Tensor | tuple[torch.Tensor, torch.Tensor]
# Merges the gradients of two losses with respect to the trained parameters.
Combine = Callable[[list[torch.Tensor], list[torch.Tensor]], list[torch.Tensor]]
# Called at each step with its losses, (total,) or (forget, retain), and the norm of its gradient
# before clipping.
Observer = Callable[[tuple[float, ...], float], None]
_observer: ContextVar[Observer | None] = ContextVar("observer", default=None)
_updates: ContextVar[Updates] = ContextVar("updates", default=USUAL)


@dataclass(frozen=True)
class Schedule:
    """Learning rate with linear warm-up and, if `decay`, linear decay to 2 % of its peak."""

    steps: int
    learning_rate: float
    warmup: int = 5
    decay: bool = True

    def factor(self, step: int) -> float:
        """Share of the peak learning rate at a step, counted from 0."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        return rise * max(0.02, 1 - step / self.steps) if self.decay else rise


def added(one: list[torch.Tensor], other: list[torch.Tensor]) -> list[torch.Tensor]:
    """The gradients of the sum of two losses."""
    return [a + b for a, b in zip(one, other, strict=True)]


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Context in which `observer` is called at each training step, after the weights are updated
    and before the meter counts the step, however deep in a method the training runs.
    """
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


@contextmanager
def updated_by(updates: Updates) -> Iterator[None]:
    """Context in which training updates weights as `updates` says."""
    token = _updates.set(updates)
    try:
        yield
    finally:
        _updates.reset(token)


def whole(batch: Batch, count: int) -> Sequence[Batch]:
    """The batch as its only part, for batches that cannot be split."""
    return [batch]


def train(
    model,
    batches: Iterable[Batch],
    loss: Callable[[Batch], Losses],
    schedule: Schedule,
    meter: Meter,
    tokens_of: Callable[[Batch], int],
    lora: Lora | bool = False,
    combine: Combine = added,
    parts: Callable[[Batch, int], Sequence[Batch]] = whole,
) -> None:
    """Trains the model in place for `schedule.steps` steps or until the batches end.

    `parts(batch, n)` returns at most n parts of a batch, whose gradients are averaged.

    If the loss is a pair, `combine` merges the gradients of the two: lists of tensors in the order
    of the trained parameters, zero for parameters that a loss does not depend on.

    With `lora`, low-rank adapters are trained instead of the weights and merged into them at the
    end. Gradients are clipped to norm 1. A non-finite loss raises FloatingPointError: a failed run
    must end as an error, never as a model whose garbage looks like forgetting.
    """
    if lora:
        adapt(model, lora)
    with sharded(model):
        parameters = [p for p in model.parameters() if p.requires_grad]
        updates, moved = _updates.get(), own_shares(parameters)
        optimizer = optimizer_for(moved, schedule.learning_rate, updates)
        model.train()
        for step, batch in zip(range(schedule.steps), batches, strict=False):
            set_rate(optimizer, schedule.learning_rate * schedule.factor(step))
            for parameter in (*parameters, *moved):
                parameter.grad = None
            pieces, terms = own_parts(parts(batch, updates.parts * processes())), []
            for piece in _of_one_step(pieces, loss):
                losses = loss(piece)
                _require_finite(losses, f"step {step + 1} of {schedule.steps}")
                _differentiate(losses, parameters, combine, 1 / len(pieces))
                terms.append(losses)
            norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            give_gradients(moved, parameters)
            optimizer.step()
            _tell(terms, norm)
            meter.step(model, tokens_of(batch))
    model.eval()
    if lora:
        merge(model)


def _of_one_step(pieces: Sequence[Batch], loss: Callable[[Batch], Losses]) -> Iterator[Batch]:
    """Yields the parts of a batch. Numbers that a method updates in its loss, such as a schedule or
    a multiplier, have their values from before the step for every part, so that they advance once.
    """
    state = vars(loss.__self__) if ismethod(loss) else {}
    before = dict(state)
    for piece in pieces:
        numbers = [name for name in before if isinstance(state.get(name), int | float)]
        state.update({name: before[name] for name in numbers})
        yield piece


def _tell(of_parts: Sequence[Losses], norm: torch.Tensor) -> None:
    """Calls the observer if there is one; otherwise no number is read from the device."""
    if observer := _observer.get():
        terms = [losses if isinstance(losses, tuple) else (losses,) for losses in of_parts]
        means = (sum(term.item() for term in same) / len(same) for same in zip(*terms, strict=True))
        observer(tuple(means), norm.item())


def _require_finite(losses: Losses, when: str) -> None:
    for value in losses if isinstance(losses, tuple) else (losses,):
        if not torch.isfinite(value):
            raise FloatingPointError(f"the loss is {value.item()} at {when}")


def _differentiate(
    losses: Losses, parameters: list[torch.nn.Parameter], combine: Combine, share: float
) -> None:
    """Adds the gradient of the loss, times `share`, to the gradients of the parameters."""
    if not isinstance(losses, tuple):
        (losses if share == 1 else losses * share).backward()
        return
    one, other = losses
    # The losses may share part of their graph.
    first = gradients(one, parameters, keep=True)
    combined = combine(first, gradients(other, parameters, keep=False))
    for parameter, gradient in zip(parameters, combined, strict=True):
        gradient = gradient if share == 1 else gradient * share
        parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
