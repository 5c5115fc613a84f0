"""Computes linear layers of large models with oneDNN on the CPU, which on some processors is twice
as fast as torch's default.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch


def computed_by(linears: str, model: Any) -> AbstractContextManager:
    """Context in which the model's linear layers are computed by "onednn", or as "torch" chooses.

    Small models keep torch's default: they are too small to gain, and their numbers are published.
    """
    return fast_linears(model) if linears == "onednn" else nullcontext()


@contextmanager
def fast_linears(model) -> Iterator[None]:
    """Context in which float32 linear layers on the CPU run forward and backward with oneDNN; on
    exit they are restored.

    For float32 matrices torch uses MKL, which reaches only half the speed of processors other than
    Intel's. The results differ as between two orders of summation.
    """
    with ExitStack() as replaced:
        for module in [module for module in model.modules() if _can_be_fast(module)]:
            replaced.enter_context(replaced_forward(module, partial(_Linear.of, module)))
        yield


@contextmanager
def head_in_float32(linears: str, model: Any) -> Iterator[None]:
    """Context in which a bfloat16 head on the CPU computes float32 logits from weights converted
    once instead of in every batch; the model must not change meanwhile.
    """
    head = model.get_output_embeddings() if linears == "onednn" else None
    if head is None or not _can_be_fast(head, torch.bfloat16):
        yield
        return
    bias = None if head.bias is None else head.bias.float()
    with replaced_forward(head, Float32Forward(head.weight.float(), bias)):
        yield


class Float32Forward:
    """Product of (..., in) states of any precision and a float32 weight (out, in), by oneDNN."""

    in_float32 = True  # checked by `answer_logits`

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self.weight, self.bias = weight, bias

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        return _multiplied(states.float(), self.weight, self.bias)


@contextmanager
def replaced_forward(module: torch.nn.Module, forward: Any) -> Iterator[None]:
    """Context in which a module computes with another forward function."""
    before = module.__dict__.get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if before is None:
            del module.forward
        else:
            module.forward = before


def _can_be_fast(module: torch.nn.Module, dtype: torch.dtype = torch.float32) -> bool:
    return (
        type(module) is torch.nn.Linear
        and module.weight.device.type == "cpu"
        and module.weight.dtype is dtype
        and torch.backends.mkldnn.is_available()
    )


class _Linear(torch.autograd.Function):
    """Product of (..., in) states and a layer's (out, in) weight, plus bias, with its gradients."""

    @classmethod
    def of(cls, module: torch.nn.Linear, states: torch.Tensor) -> torch.Tensor:
        return cls.apply(states, module.weight, module.bias)

    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.save_for_backward(states, weight)
        return _multiplied(states, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        states, weight = ctx.saved_tensors
        rows = gradient.flatten(0, -2)
        of_states, of_weight, of_bias = ctx.needs_input_grad
        return (
            _multiplied(rows, weight.t()).view_as(states) if of_states else None,
            _multiplied(rows.t(), states.flatten(0, -2).t()) if of_weight else None,
            rows.sum(0) if of_bias else None,
        )


def _multiplied(
    states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")
