"""Recomputes values from a record's outputs after metrics have changed, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from benchmark.metrics.values import metric_values
from benchmark.records.frames import has_outputs, read_frame
from benchmark.records.identity import ORACLE, TARGET
from benchmark.records.store import ResultStore, read_record, write_atomically
from benchmark.records.values import tables_of, versions_of

State = Literal["unchanged", "rescored", "without outputs"]


def rescore_record(path: Path, store: ResultStore) -> State:
    """Recomputes the values of the record at `path`, keeping its id, outputs and provenance."""
    record = read_record(path)
    if not has_outputs(record):
        return "without outputs"
    assert record.references is not None
    oracles = [store.reference_path(record.identity, ORACLE, i) for i in record.references.oracles]
    others = [read_frame(p, read_record(p)) for p in oracles if p != path]
    of_target = store.reference_path(record.identity, TARGET, record.references.target)
    target = read_frame(of_target, read_record(of_target))
    tables = tables_of(metric_values(read_frame(path, record), others, target))
    fresh = record.model_copy(update={"values": tables, "metrics": versions_of(tables)}).sealed()
    if fresh.to_json() == record.to_json():  # compared as JSON, where NaN equals itself
        return "unchanged"
    write_atomically(path, fresh.to_json())
    return "rescored"
