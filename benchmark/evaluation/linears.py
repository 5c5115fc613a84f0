"""Linear layers of large models by oneDNN on the CPU: on some processors twice as fast as what torch chooses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch


@contextmanager
def fast_linears(model) -> Iterator[None]:
    """Within it, float32 linear layers on the CPU compute by oneDNN, without gradients; then they are as before.

    torch multiplies float32 matrices by MKL, which gives processors other than Intel's half of what they can do. The
    results differ as two orders of summation do.
    """
    changed = [module for module in model.modules() if _can_be_fast(module)]
    for module in changed:
        module.forward = partial(_linear, module)
    try:
        yield
    finally:
        for module in changed:
            del module.forward


def _can_be_fast(module: torch.nn.Module) -> bool:
    return (
        type(module) is torch.nn.Linear
        and module.weight.device.type == "cpu"
        and module.weight.dtype is torch.float32
        and torch.backends.mkldnn.is_available()
    )


def _linear(module: torch.nn.Linear, states: torch.Tensor) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(states, module.weight, module.bias, "none", [], "")
