"""A results folder in memory, which the validation checks read, and their findings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from benchmark.errors import BadInput
from benchmark.metrics.sample import Sample
from benchmark.records.frames import read_frame
from benchmark.records.schema import Record
from benchmark.records.store import DISPUTES, MARKS, ResultStore, read_record, read_samples

TIMINGS = "perf"  # in the results folder: speed measurements, which are not records of cells
BESIDE = (TIMINGS, MARKS, DISPUTES)
SAMPLES_KEPT = 8  # in memory: enough for a record and its references


@dataclass(frozen=True)
class Finding:
    """One broken rule."""

    path: Path
    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.check}: {self.message}"


class Folder:
    """All records of a results folder, with example frames and samples read on demand."""

    def __init__(self, results: ResultStore) -> None:
        self.results = results
        self.records: dict[Path, Record] = {}
        self.unreadable: list[Finding] = []
        beside = {f for name in BESIDE for f in (results.root / name).glob("*.json")}
        misplaced = set(results.root.rglob("*.json")) - set(results.paths()) - beside
        for path in sorted(misplaced):
            self.unreadable.append(
                Finding(path, "place", "records lie at <track>/<task>/<variant>/<method>/<id>.json")
            )
        for path in results.paths():
            try:
                self.records[path] = read_record(path)
            except BadInput as error:
                self.unreadable.append(
                    Finding(path, "schema", str(error).removeprefix(f"{path}: "))
                )
        self.by_id = {record.id: (path, record) for path, record in self.records.items()}
        self.samples = lru_cache(maxsize=SAMPLES_KEPT)(self._samples)

    def _samples(self, record_id: str) -> list[Sample]:
        path, record = self.by_id[record_id]
        return read_samples(path, record)

    def frame(self, record_id: str) -> pd.DataFrame:
        return read_frame(*self.by_id[record_id])

    def target_of(self, record: Record) -> Record | None:
        """The record of the target, if it exists."""
        entry = self.by_id.get(record.references.target) if record.references else None
        return entry[1] if entry else None
