"""Where a run keeps its artifacts and writes its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.models.artifacts import ArtifactStore
from benchmark.records.store import ResultStore


@dataclass(frozen=True)
class RunContext:
    """Where artifacts are kept and results are written, whether existing records are replaced, threads of a worker."""

    home: Path
    out: Path
    force: bool = False
    threads: int = 1

    @property
    def store(self) -> ArtifactStore:
        return ArtifactStore(self.home)

    @property
    def results(self) -> ResultStore:
        return ResultStore(self.out)
