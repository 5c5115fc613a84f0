"""Checkpoints of cells: a killed run resumes after the last finished request. The last checkpoint
is the unlearned model; `--keep-models` keeps it.
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
    """The progress of a cell: the number of requests `done`, the resulting model, the intermediate
    samples, and the cost so far.

    `state` is what the method carries from one request to the next.
    """

    done: int
    result: Any
    state: dict[str, Any] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    steps: int = 0
    tokens: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


class Checkpoints:
    """The last checkpoint of one cell in the artifact store; `key` identifies the cell and the
    evaluation settings of its intermediate samples.
    """

    def __init__(
        self, store: ArtifactStore, key: str, load: Callable[[Path], Any] = load_model
    ) -> None:
        self.store, self.key, self._load = store, key, load

    def save(self, progress: Progress) -> None:
        """Replaces the checkpoint; after a kill, the old or the new one is there."""
        former, newest = self.store.keys(KIND, self.key), f"{self.key}-{progress.done:03d}"
        self.store.get(KIND, newest, lambda folder: _write(progress, folder))
        for key in former:
            if key != newest:
                self.store.discard(KIND, key)

    def load(self, define: Callable[[], object] = lambda: None) -> Progress | None:
        """The last checkpoint, if there is one; `define` imports the class of a guardrail if it is
        unknown.
        """
        found = self.store.keys(KIND, self.key)
        return _read(self.store.get(KIND, found[-1], _gone), self._load, define) if found else None

    def clear(self) -> None:
        """Removes all of the cell's checkpoints."""
        self.store.remove(KIND, self.key)


def _gone(folder: Path) -> dict:
    raise FileNotFoundError(f"{folder.name}: the checkpoint was removed meanwhile")


def _write(progress: Progress, folder: Path) -> dict:
    as_unlearned(progress.result).save(folder)
    write_samples(progress.samples, folder)
    torch.save(progress.state, folder / "state.pt")
    torch.load(
        folder / "state.pt", weights_only=True
    )  # an unreadable state is an error now, not after a kill
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
