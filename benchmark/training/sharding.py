"""Training over several processes, each with a shard of the weights, gradients and optimizer states
(FSDP, Zhao et al. 2023, arXiv 2304.11277).

All processes do the same work; only the computation on a batch is divided among them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

Part = TypeVar("Part")

WHOLE = "which needs whole weights: leave `processes` out of the track's `updates`"


def processes() -> int:
    """Number of processes that train together; 1 without a process group."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process writes the results of all: rank 0, or the only process."""
    return not dist.is_initialized() or dist.get_rank() == 0


def wait_for_all() -> None:
    """Returns once every process has called it; at once in a single process."""
    if dist.is_initialized():
        dist.barrier()


@contextmanager
def sharded(model: torch.nn.Module) -> Iterator[None]:
    """Context in which each process holds a shard of the weights; on exit, each has the complete
    weights again. Has no effect in a single process.
    """
    if processes() == 1:
        yield
        return
    unloaded, names = _unloaded(model), [name for name, _ in model.named_parameters()]
    _share_out(model)
    with _whole_weights_named(), _only_backward():
        yield
    for module in model.modules():  # a final forward pass without gradients leaves weights gathered
        if isinstance(module, FSDPModule):
            module.reshard()
    shares = dict(model.named_parameters())
    whole = {
        id(empty): torch.nn.Parameter(_dtensor(shares[name]).full_tensor(), empty.requires_grad)
        for name, empty in zip(names, unloaded.parameters(), strict=True)
    }
    for module in unloaded.modules():
        for name, empty in module._parameters.items():
            if empty is not None:  # tied weights stay one parameter
                module._parameters[name] = whole[id(empty)]
    # Callers keep using the same model object.
    model.__class__, model.__dict__ = unloaded.__class__, unloaded.__dict__


@contextmanager
def _whole_weights_named() -> Iterator[None]:
    """Context that turns the error of a loss that computes with sharded weights directly into a
    readable RuntimeError.
    """
    try:
        yield
    except RuntimeError as error:
        if DTensor.__name__ not in str(error):
            raise
        raise RuntimeError(f"weights are read within the loss, {WHOLE}") from error


@contextmanager
def _only_backward() -> Iterator[None]:
    """Context in which `torch.autograd.grad` raises RuntimeError: for sharded weights it finds no
    graph, or returns zeros where that is allowed.
    """

    def refused(*_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(f"a gradient is taken within the loss, {WHOLE}")

    own, torch.autograd.grad = torch.autograd.grad, refused
    try:
        yield
    finally:
        torch.autograd.grad = own


def _unloaded(model: torch.nn.Module) -> torch.nn.Module:
    """A copy on the meta device, whose weights take no memory."""
    empty = {
        id(p): torch.nn.Parameter(p.detach().to("meta"), p.requires_grad)
        for p in model.parameters()
    }
    return copy.deepcopy(model, empty)


def _share_out(model: torch.nn.Module) -> None:
    from accelerate import Accelerator
    from accelerate.utils import FullyShardedDataParallelPlugin, fsdp2_prepare_model

    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    # On CPUs, Accelerator does not accept this plugin, but shards in the same way.
    accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="transformer_based_wrap",
        reshard_after_forward=True,
        cpu_ram_efficient_loading=False,
    )
    fsdp2_prepare_model(accelerator, model)


def own_shares(parameters: Sequence[torch.nn.Parameter]) -> list[torch.nn.Parameter]:
    """The parameters that this process's optimizer updates: its shards, which share memory with the
    parameters; in a single process, the parameters themselves.
    """
    if processes() == 1:
        return list(parameters)
    return [torch.nn.Parameter(_dtensor(p).to_local(), p.requires_grad) for p in parameters]


def give_gradients(
    shares: Sequence[torch.nn.Parameter], parameters: Sequence[torch.nn.Parameter]
) -> None:
    """Assigns the gradients of the parameters to their shards; does nothing in a single process."""
    if processes() > 1:
        for share, parameter in zip(shares, parameters, strict=True):
            found = parameter.grad
            share.grad = None if found is None else _dtensor(found).to_local()


def _dtensor(tensor: torch.Tensor) -> DTensor:
    detached = tensor.detach()
    assert isinstance(detached, DTensor)
    return detached


def own_parts(parts: Sequence[Part]) -> Sequence[Part]:
    """The parts of a batch that this process computes, equally many in each process; if the parts
    cannot be divided evenly, all of them, which gives the same mean gradient.
    """
    count = processes()
    if count == 1 or len(parts) % count:
        return parts
    return parts[dist.get_rank() :: count]


def gradients(
    loss: torch.Tensor, parameters: Sequence[torch.nn.Parameter], keep: bool
) -> list[torch.Tensor]:
    """The gradients of a loss, zero for parameters that it does not depend on; with `keep`, its
    graph is retained. For sharded weights, only a backward pass gathers the gradients.
    """
    if processes() == 1:
        found = torch.autograd.grad(loss, parameters, retain_graph=keep, materialize_grads=True)
        return list(found)
    held = [p.grad for p in parameters]
    for parameter in parameters:
        parameter.grad = None
    loss.backward(retain_graph=keep)
    made = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    for parameter, gradient in zip(parameters, held, strict=True):
        parameter.grad = gradient
    return made
