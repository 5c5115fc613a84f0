"""Checks of the values in a record, which are recomputed from its outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmark.errors import BadInput
from benchmark.metrics.base import Value
from benchmark.metrics.values import metric_values
from benchmark.records.folder import Folder
from benchmark.records.schema import Record
from benchmark.records.values import MetricValue, Tables, about, kept_tables, tables_of

TOLERANCE = 1e-5  # relative, since values are recorded to six digits


def metric_versions(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """Values were computed by the current versions of the metrics."""
    for name, version in record.metrics.items():
        try:
            present = about(name)[2]
        except KeyError:
            yield f"unknown metric {name}"
            continue
        if version != present:
            yield (
                f"{name} has version {version}, this version computes {present}; "
                "`palimpsest rescore` recomputes the values"
            )


def columns(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """Tables of values are in canonical form: six significant digits, null where a stratum has no
    value, and, for a trial, only the values that trials keep.
    """
    splits = [table for by_split in record.values.values() for table in by_split.values()]
    if {metric for table in splits for metric in table.values} != record.metrics.keys():
        yield "the versions are not those of the metrics that have values"
        return
    try:
        right = kept_tables(tables_of(record.value_rows()), record.identity)
    except KeyError:
        return  # `metric_versions` reports unknown metrics
    except ValueError:
        yield "columns do not match their strata"
        return
    for stage in sorted(right.keys() | record.values.keys()):
        recorded, written = (_as_json(tables, stage) for tables in (record.values, right))
        if recorded != written:
            yield f"the tables of {stage} are not in canonical form"


def _as_json(tables: Tables, stage: str) -> dict[str, str] | None:
    """The tables of a stage as JSON by split, for comparison: in JSON, NaN equals itself."""
    splits = tables.get(stage)
    if splits is None:
        return None
    return {split: table.model_dump_json() for split, table in splits.items()}


def trial(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A trial's score can be read and has replicates."""
    if record.trial is None:
        return
    try:
        draws = len(record.trial.replicates)
    except ValueError as error:
        yield f"its score cannot be read: {error}"
        return
    if draws < 2:
        yield "its score has no replicates"


def values(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """Recorded values equal those recomputed from the outputs; none is missing or added."""
    if not record.outputs or record.references is None:
        return
    try:
        others = [folder.frame(i) for i in record.references.oracles if i != record.id]
        target = folder.frame(record.references.target)
        fresh = metric_values(folder.frame(record.id), others, target)
        recorded = {(v.stage, v.split, v.metric, v.stratum): v for v in record.value_rows()}
    except (BadInput, KeyError, ValueError):
        return  # reported by the other checks: outputs, references, metric_versions, columns
    recomputed = {(v.stage, v.split, v.metric, v.stratum): v for v in fresh}
    yield from _differences(recorded, recomputed)


Key = tuple[str, str, str, str]


def _differences(
    recorded: Mapping[Key, MetricValue], recomputed: Mapping[Key, Value]
) -> Iterator[str]:
    for key in sorted(recomputed.keys() ^ recorded.keys()):
        state = "missing" if key in recomputed else "not a value of this version"
        yield f"{'/'.join(key)} is {state}"
    for key in sorted(recomputed.keys() & recorded.keys()):
        name, stated, derived = "/".join(key), recorded[key], recomputed[key]
        if not _same(stated.value, derived.value):
            yield f"{name}: recorded {stated.value:.6g}, the outputs give {derived.value:.6g}"
        if (stated.n_scored, stated.n_failed) != (derived.n_scored, derived.n_failed):
            yield (
                f"{name}: recorded n {stated.n_scored}+{stated.n_failed}, "
                "the outputs give different counts"
            )


def _same(one: float, other: float) -> bool:
    both_nan = math.isnan(one) and math.isnan(other)
    return both_nan or math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-12)
