"""Devices and precision of model computation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from benchmark.models.linears import computed_by
from benchmark.models.tracks import Track
from benchmark.training.loop import updated_by


def accelerators() -> int:
    """Number of GPUs, which pretrained models and large models trained from scratch use."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def gpu_name() -> str:
    """Number and name of the GPUs, for the record; "none" if there are none."""
    names = [torch.cuda.get_device_name(i) for i in range(accelerators())]
    return f"{len(names)} x {names[0]}" if names else "none"


def free_gpus() -> None:
    """Releases the cached memory of unused models to other processes on these GPUs."""
    if accelerators():
        torch.cuda.empty_cache()


@contextmanager
def computing_for(track: Track, model: Any) -> Iterator[None]:
    """Context that uses the track's precision, the linear layers of its profile, and its weight
    updates.
    """
    with computing_in(track.precision, track.profile.linears, model), updated_by(track.updates):
        yield


def computing_in(precision: str, linears: str, model: Any) -> AbstractContextManager:
    """Context that computes a model in this precision; its weights are unchanged.

    Autocast runs without its cache, which would keep the weights of the first step until the
    context ends; a whole training runs in one context.
    """
    if precision == "float32":
        return computed_by(linears, model)
    return torch.autocast(model.device.type, dtype=getattr(torch, precision), cache_enabled=False)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Context in which torch draws from this seed on every device; on exit, all generators resume
    their previous states.

    `torch.manual_seed` seeds GPUs too, so leaving them out of the fork would permanently reset
    their generators.
    """
    with torch.random.fork_rng(devices=range(accelerators())):
        torch.manual_seed(seed)
        yield


@contextmanager
def looking_at(model: Any) -> Iterator[None]:
    """Context for evaluation during training: the model in evaluation mode and without autocast,
    exactly as it is evaluated after training.
    """
    training = model.training
    model.eval()
    try:
        with torch.autocast(model.device.type, enabled=False):
            yield
    finally:
        model.train(training)
