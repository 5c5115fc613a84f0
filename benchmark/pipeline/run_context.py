"""The context of a run, which every job takes to its worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.core.inputs import Inputs
from benchmark.models.artifacts import ArtifactStore
from benchmark.records.store import ResultStore


@dataclass(frozen=True)
class RunContext:
    """The inputs and the output folder of a run, whether it replaces records (`force`), the number
    of threads per worker, whether it keeps unlearned models, and the folder of unfinished work, if
    not the inputs' home; it travels with each job.
    """

    inputs: Inputs
    out: Path
    force: bool = False
    threads: int = 1
    keep_models: bool = False
    workplace: Path | None = None

    @property
    def store(self) -> ArtifactStore:
        """Unlearned models and stages until the record is written."""
        if self.workplace:
            return ArtifactStore(self.workplace)
        return ArtifactStore(self.inputs.home, self.inputs.store)

    @property
    def results(self) -> ResultStore:
        return ResultStore(self.out)
