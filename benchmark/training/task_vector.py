"""Task vectors: the change that fine-tuning makes to the weights, and its subtraction."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial

import torch

from benchmark.core.examples import Pair
from benchmark.core.request import Request
from benchmark.tokens.batches import Batch, collate, parts_of
from benchmark.tokens.losses import answer_nll
from benchmark.training.loop import Schedule, train
from benchmark.training.lora import Lora


def negated(
    model,
    pairs: Sequence[Pair],
    request: Request,
    learning_rate: float,
    scale: float,
    lora: Lora | bool = False,
):
    """Replaces the weights theta by theta - scale (theta tuned on the pairs - theta), in place;
    tuning uses the rest of the budget.

    With `lora`, tuning is low-rank. ValueError without pairs. Ilharco et al. 2023 (Editing Models
    with Task Arithmetic), section 3.
    """
    if not pairs:
        raise ValueError("there is nothing to tune on and then to negate")
    before = [p.detach().clone() for p in model.parameters()]
    steps = request.budget.steps - request.meter.steps
    train(
        model,
        _batches(pairs, request, model),
        lambda batch: answer_nll(model, batch, per_token=True).mean(),
        Schedule(steps, learning_rate, decay=False),
        request.meter,
        tokens_of=lambda batch: batch.tokens,
        lora=lora,
        parts=partial(parts_of, tokenizer=request.tokenizer, model=model),
    )
    with torch.no_grad():
        for parameter, old in zip(model.parameters(), before, strict=True):
            parameter.copy_(old - scale * (parameter - old))
    return model


def _batches(pairs: Sequence[Pair], request: Request, model) -> Iterator[Batch]:
    """Endless batches in shuffled epochs."""
    rng, size = random.Random(f"tune-{request.seed}"), request.budget.batch_size
    while True:
        shuffled = rng.sample(pairs, len(pairs))
        for start in range(0, len(shuffled), size):
            yield collate(shuffled[start : start + size], request.tokenizer, model)
