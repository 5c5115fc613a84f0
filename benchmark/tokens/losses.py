"""Logits of answers from a model's own forward pass, and losses on them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn import functional as F

from benchmark.tokens.batches import Batch


def answer_logits(model, batch: Batch) -> torch.Tensor:
    """(N, V) logits of the N answer tokens of the batch, from the model's own forward pass.

    Only answer positions go through the language-model head, to save its cost on prompts. The model
    itself applies everything before and after the head (soft caps, scales, multipliers).
    """
    with _head_of_answers(model, batch) as reached:
        logits = model(**batch.inputs, use_cache=False).logits
    return (logits[0] if reached else batch.select(logits)).to(batch.targets.device)


@contextmanager
def _head_of_answers(model, batch: Batch) -> Iterator[list[bool]]:
    """Context in which the head sees only the answer positions, (1, N, H); yields a list that is
    empty until the head has been called.

    A bfloat16 head computes in float32: logits with eight bits of precision would change
    probabilities by several percent.
    """
    head, reached = model.get_output_embeddings(), list[bool]()
    if head is None:
        yield reached
        return

    def select(_: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        reached.append(True)
        return (batch.select(given[0])[None], *given[1:])

    hook = head.register_forward_pre_hook(select)
    try:
        with _in_float32(head):
            yield reached
    finally:
        hook.remove()


@contextmanager
def _in_float32(head: torch.nn.Module) -> Iterator[None]:
    """Context in which a linear layer with bfloat16 weights computes in float32, unless it already
    does (`models/linears.py`).
    """
    previous = head.__dict__.get("forward")
    done = getattr(previous, "in_float32", False)
    if not isinstance(head, torch.nn.Linear) or head.weight.dtype is not torch.bfloat16 or done:
        yield
        return
    bias = None if head.bias is None else head.bias.float()
    head.forward = lambda input: F.linear(input.float(), head.weight.float(), bias)  # type: ignore[method-assign]
    try:
        yield
    finally:
        if previous is None:
            del head.forward
        else:
            head.forward = previous  # type: ignore[method-assign]


def answer_nll(model, batch: Batch, per_token: bool = False) -> torch.Tensor:
    """Negative log-likelihood of each answer, (B,): the sum over its tokens, or the mean if
    `per_token`.
    """
    losses = F.cross_entropy(answer_logits(model, batch).float(), batch.targets, reduction="none")
    rows = batch.rows
    summed = torch.zeros(len(batch.pairs), device=losses.device).index_add(0, rows, losses)
    return summed / torch.bincount(rows, minlength=len(batch.pairs)) if per_token else summed


def kl_from_uniform(logits: torch.Tensor) -> torch.Tensor:
    """KL(uniform || p) in nats for the distributions p that (N, V) logits define, (N,): 0 if p is
    uniform.

    Yuan et al. 2024 (A Closer Look), on maximising entropy, as implemented in their code.
    """
    return -logits.float().log_softmax(-1).mean(-1) - math.log(logits.shape[-1])


def kl_to_uniform(logits: torch.Tensor) -> torch.Tensor:
    """KL(p || uniform) in nats for the distributions p that (N, V) logits define, (N,): log V minus
    their entropy.

    Yuan et al. 2024 (A Closer Look), on maximising entropy, as stated in the paper.
    """
    log_p = logits.float().log_softmax(-1)
    return (log_p.exp() * log_p).sum(-1) + math.log(logits.shape[-1])


def margins(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Margins of the tokens `targets` under (N, V) logits, (N,): the token's logit minus the
    logsumexp of the ten largest other logits (MASC, arXiv 2606.02920).
    """
    chosen = targets[:, None]
    others = logits.scatter(1, chosen, -torch.inf)
    rivals = others.topk(min(10, logits.shape[-1] - 1), dim=-1).values
    return logits.gather(1, chosen)[:, 0] - rivals.logsumexp(-1)
