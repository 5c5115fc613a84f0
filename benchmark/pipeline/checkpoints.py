"""Checkpoints of cells: a killed run goes on after the last request that was finished. The last
checkpoint is the unlearned model; `--keep-models` keeps it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmark.inference.unlearned import as_unlearned, load_unlearned
from benchmark.metrics import Sample
from benchmark.models.artifacts import ArtifactStore
from benchmark.models.loading import load_model
from benchmark.pipeline.stages import read_samples, write_samples

KIND = "partial"


@dataclass
class Progress:
    """How far a cell is: `done` requests, what they made of the target, what was seen on the way,
    what it cost.

    `state` is what the method keeps from one request to the next.
    """

    done: int
    result: Any
    state: dict[str, Any] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    steps: int = 0
    tokens: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


class Checkpoints:
    """The last checkpoint of one cell, in the artifact store; `key` says of which, and how it was
    asked on the way.
    """

    def __init__(
        self, store: ArtifactStore, key: str, load: Callable[[Path], Any] = load_model
    ) -> None:
        self.store, self.key, self._load = store, key, load

    def save(self, progress: Progress) -> None:
        """Replaces the checkpoint; a kill leaves either the former or the new one."""
        former, newest = self.store.keys(KIND, self.key), f"{self.key}-{progress.done:03d}"
        self.store.get(KIND, newest, lambda folder: _write(progress, folder))
        for key in former:
            if key != newest:
                self.store.discard(KIND, key)

    def load(self, define: Callable[[], object] = lambda: None) -> Progress | None:
        """The last checkpoint, if there is one; `define` imports the class of a guardrail."""
        found = self.store.keys(KIND, self.key)
        return _read(self.store.get(KIND, found[-1], _gone), self._load, define) if found else None

    def clear(self) -> None:
        """Removes everything of the cell: it has a record."""
        self.store.remove(KIND, self.key)


def _gone(folder: Path) -> dict:
    raise FileNotFoundError(f"{folder.name}: the checkpoint was removed meanwhile")


def _write(progress: Progress, folder: Path) -> dict:
    as_unlearned(progress.result).save(folder)
    write_samples(progress.samples, folder)
    torch.save(progress.state, folder / "state.pt")
    torch.load(
        folder / "state.pt", weights_only=True
    )  # what cannot be read again is an error now, not after a kill
    return {
        "done": progress.done,
        "steps": progress.steps,
        "tokens": progress.tokens,
        "seconds": progress.seconds,
    }


def _read(folder: Path, load: Callable[[Path], Any], define: Callable[[], object]) -> Progress:
    made = json.loads((folder / "made.json").read_text())
    return Progress(
        result=load_unlearned(folder, load, define),
        state=torch.load(folder / "state.pt", weights_only=True),
        samples=read_samples(folder),
        **made,
    )
