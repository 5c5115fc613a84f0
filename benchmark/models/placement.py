"""Where models compute, and in which precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from benchmark.models.linears import computed_by
from benchmark.models.tracks import Track
from benchmark.training.loop import updated_by


def accelerators() -> int:
    """How many GPUs there are; pretrained models use them, and large ones that are trained here."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def gpu_name() -> str:
    """What the GPUs are called, for the record; "none" without."""
    names = [torch.cuda.get_device_name(i) for i in range(accelerators())]
    return f"{len(names)} x {names[0]}" if names else "none"


def free_gpus() -> None:
    """Returns the memory of models that are no longer used, for other processes on these GPUs."""
    if accelerators():
        torch.cuda.empty_cache()


@contextmanager
def computing_for(track: Track, model: Any) -> Iterator[None]:
    """Computes in the track's precision, by the linear layers of its profile, and updates weights
    as it says.
    """
    with computing_in(track.precision, track.profile.linears, model), updated_by(track.updates):
        yield


def computing_in(precision: str, linears: str, model: Any) -> AbstractContextManager:
    """Computes a model in a precision; its weights stay as they are.

    Autocast has no cache here: it would keep the weights of the first step until the context ends,
    and whole trainings run in one context.
    """
    if precision == "float32":
        return computed_by(linears, model)
    return torch.autocast(model.device.type, dtype=getattr(torch, precision), cache_enabled=False)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it, torch draws from this seed on every device; afterwards all of them go on where
    they were.

    `torch.manual_seed` seeds GPUs too: left out of the fork, their generators would be rewound for
    good.
    """
    with torch.random.fork_rng(devices=range(accelerators())):
        torch.manual_seed(seed)
        yield


@contextmanager
def looking_at(model: Any) -> Iterator[None]:
    """Within a training: the model in evaluation mode and as exact as it is measured after it."""
    training = model.training
    model.eval()
    try:
        with torch.autocast(model.device.type, enabled=False):
            yield
    finally:
        model.train(training)
