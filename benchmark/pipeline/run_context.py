"""What a worker must know of the run whose jobs it does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.core.inputs import Inputs
from benchmark.models.artifacts import ArtifactStore
from benchmark.records.store import ResultStore


@dataclass(frozen=True)
class RunContext:
    """What a run reads, where it writes, whether it replaces records, threads of a worker, whether
    unlearned models stay; it travels with each job.
    """

    inputs: Inputs
    out: Path
    force: bool = False
    threads: int = 1
    keep_models: bool = False

    @property
    def store(self) -> ArtifactStore:
        return ArtifactStore(self.inputs.home, self.inputs.store)

    @property
    def results(self) -> ResultStore:
        return ResultStore(self.out)
