"""Tracks: model families on which scores are comparable, and how their models are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from benchmark.data import Budget, fingerprint
from benchmark.registry import lookup


@dataclass(frozen=True)
class Training:
    """One stage of training: whole passes over its texts."""

    epochs: int
    batch_size: int
    learning_rate: float
    warmup: int = 20


@dataclass(frozen=True)
class ControlledTrack:
    """A small Llama trained from scratch on a generated world; tracks named `...-dev` are never scored.

    `base` is the training of the shared base, which never sees a task's data; `stage` that of target and
    oracles from it, in which `replay` base texts are read again in every epoch.
    """

    name: str
    description: str
    world_seed: int
    vocabulary: int = 2560
    hidden_size: int = 128
    layers: int = 3
    heads: int = 4
    intermediate_size: int = 352
    base: Training = Training(epochs=9, batch_size=64, learning_rate=3e-3)
    stage: Training = Training(epochs=10, batch_size=64, learning_rate=2.5e-3)
    replay: int = 1300
    budget: Budget = Budget(steps=60, batch_size=16)

    @property
    def fingerprint(self) -> str:
        """Hash of what makes the models: not the track's name, nor what happens to them afterwards."""
        recipe = asdict(self)
        for field in ("name", "description", "budget"):
            recipe.pop(field)
        return fingerprint(recipe)


CONTROLLED = ControlledTrack(
    name="controlled-1m",
    description="Llama architecture, 0.9M parameters, trained from scratch on world 1",
    world_seed=1,
)
_TRACKS = {
    track.name: track
    for track in (
        CONTROLLED,
        replace(
            CONTROLLED,
            name="tiny-dev",
            description="A model that learns next to nothing in seconds: tries the machinery, never scored",
            hidden_size=32,
            layers=2,
            intermediate_size=64,
            base=Training(epochs=1, batch_size=256, learning_rate=3e-3),
            stage=Training(epochs=1, batch_size=256, learning_rate=3e-3),
            replay=100,
            budget=Budget(steps=4, batch_size=8),
        ),
        replace(
            CONTROLLED,
            name="controlled-1m-dev",
            description="The same on world 101: where methods are tuned, never scored",
            world_seed=101,
        ),
    )
}


def track_named(name: str) -> ControlledTrack:
    """The track of that name; BadInput with the nearest names otherwise."""
    return lookup("track", name, _TRACKS)


def all_tracks() -> list[ControlledTrack]:
    return list(_TRACKS.values())
