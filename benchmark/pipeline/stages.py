"""A cell's outputs stage by stage, each stored as soon as it is complete: a killed run repeats
only the stage it was in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmark.metrics import Sample
from benchmark.models.artifacts import ArtifactStore, made_of
from benchmark.records.samples import samples_from_bytes, samples_to_bytes

KIND = "stages"
_FILE = "samples.parquet"


class StoredStages:
    """The stages of one cell in the artifact store, kept until the cell has its record.

    `seconds` says how long each stage took that was asked for, whichever process computed it.
    """

    def __init__(self, store: ArtifactStore, cell_id: str) -> None:
        self.store, self.cell_id = store, cell_id
        self.seconds: dict[str, float] = {}

    def get(self, stage: str, measure: Callable[[], list[Sample]]) -> list[Sample]:
        """The samples of a stage, measured on the first call."""

        def build(folder: Path) -> dict:
            started = time.perf_counter()
            (folder / _FILE).write_bytes(samples_to_bytes(measure()))
            return {"seconds": round(time.perf_counter() - started, 3)}

        folder = self.store.get(KIND, f"{self.cell_id}-{stage.replace(' ', '-')}", build)
        self.seconds[stage] = made_of(folder)["seconds"]
        return samples_from_bytes((folder / _FILE).read_bytes())

    def clear(self) -> None:
        self.store.remove(KIND, self.cell_id)
