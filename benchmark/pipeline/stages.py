"""Stores a cell's outputs stage by stage, each as soon as it is complete: a killed run repeats only
the stage it was in, and a later run measures only the stages that its record lacks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmark.metrics import Sample
from benchmark.models.artifacts import ArtifactStore, made_of
from benchmark.pipeline.plan import Cell
from benchmark.records.outputs import Inputs, outputs_to_bytes, samples_of

KIND = "stages"
_INPUTS, _OUTPUTS = "inputs.parquet", "outputs.parquet"


class StoredStages:
    """The stages of one cell in the artifact store, kept until the cell has its record.

    `seconds` is the duration of each stage requested so far, whichever process computed it.
    """

    def __init__(self, store: ArtifactStore, cell: Cell) -> None:
        self.store, self.cell = store, cell
        self.seconds: dict[str, float] = {}
        self._recorded: Mapping[str, list[Sample]] = {}
        self._seconds: Mapping[str, float] = {}

    def reuse(self, stages: Mapping[str, list[Sample]], seconds: Mapping[str, float]) -> None:
        """Uses these stages and their durations, from an earlier record of the cell, instead of
        measuring them.
        """
        self._recorded, self._seconds = stages, seconds

    def get(self, stage: str, measure: Callable[[], list[Sample]]) -> list[Sample]:
        """Returns the samples of a stage, measuring them on the first call."""
        if stage in self._recorded:
            if stage in self._seconds:
                self.seconds[stage] = self._seconds[stage]
            return list(self._recorded[stage])

        def build(folder: Path) -> dict:
            started = time.perf_counter()
            write_samples(measure(), folder)
            return {"seconds": round(time.perf_counter() - started, 3)}

        folder = self.store.get(KIND, f"{self.cell.id}-{self.cell.shard_id(stage)}", build)
        self.seconds[stage] = made_of(folder)["seconds"]
        return read_samples(folder)

    def clear(self) -> None:
        self.store.remove(KIND, self.cell.id)


def write_samples(samples: Sequence[Sample], folder: Path) -> None:
    """Writes samples in the format in which records store them."""
    inputs = Inputs.of(samples)
    (folder / _INPUTS).write_bytes(inputs.to_bytes())
    (folder / _OUTPUTS).write_bytes(outputs_to_bytes(samples, inputs))


def read_samples(folder: Path) -> list[Sample]:
    """Reads the samples that `write_samples` wrote."""
    inputs = Inputs.from_bytes((folder / _INPUTS).read_bytes())
    return samples_of((folder / _OUTPUTS).read_bytes(), inputs)
