"""Writes the records of cells, including failed ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch.backends.cpu import get_cpu_capability

from benchmark.core.method import Method
from benchmark.core.source_hash import source_hash
from benchmark.metrics import Sample
from benchmark.metrics.base import Value
from benchmark.metrics.stages import recorded_stage
from benchmark.models.placement import gpu_name
from benchmark.pipeline.plan import Cell
from benchmark.pipeline.run_context import RunContext
from benchmark.records.identity import MethodInfo
from benchmark.records.outputs import stage_digests
from benchmark.records.provenance import collect
from benchmark.records.schema import (
    Cost,
    Failure,
    Provenance,
    Record,
    References,
    Shard,
    TrialScore,
)
from benchmark.records.store import read_record
from benchmark.records.values import kept_tables, tables_of, versions_of


def write_success(
    cell: Cell,
    samples: Sequence[Sample],
    values: Iterable[Value],
    provenance: Provenance,
    context: RunContext,
    *,
    proxy: bool,
    trial: TrialScore | None = None,
) -> None:
    """Writes the record of a cell with its outputs; for a trial, the values alone.

    A trial's record does not list the stages of intermediate checkpoints.
    """
    tables = kept_tables(tables_of(values), cell.identity)
    shards = shards_of(cell, samples)
    record = _record(
        cell,
        proxy,
        status="ok",
        shards={name: shard for name, shard in shards.items() if not trial or name in cell.recipes},
        metrics=versions_of(tables),
        values=tables,
        trial=trial,
        provenance=provenance,
    )
    context.results.write(record, None if trial else samples)


def provenance_of(cost: Cost, **origin: Any) -> Provenance:
    """The provenance of outputs that this process has just made; `origin` describes their model."""
    return collect(cost, torch.get_num_threads(), gpu_name(), get_cpu_capability(), **origin)


def write_failure(
    cells: Sequence[Cell], failure: Failure, context: RunContext, *, proxy: bool
) -> None:
    """Writes error records for cells whose work failed or whose process died.

    If a further stage of a finished cell fails, the cell keeps its record, unless `force` was
    given.
    """
    finished = [cell for cell in cells if not context.force and _succeeded(cell, context)]
    for cell in (cell for cell in cells if cell not in finished):
        nothing = Cost(steps=0, tokens=0, seconds={})
        provenance = collect(nothing, 1, gpu_name(), get_cpu_capability())
        record = _record(cell, proxy, status="error", provenance=provenance, error=failure)
        context.results.write(record, None)


def _succeeded(cell: Cell, context: RunContext) -> bool:
    path = cell.path(context.results)
    return path.is_file() and read_record(path).status == "ok"


def _record(cell: Cell, proxy: bool, **outcome: Any) -> Record:
    """The record of a cell with this outcome."""
    return Record(
        id=cell.id,
        identity=cell.identity,
        evaluation=cell.evaluation,
        references=References(target=cell.target_id, oracles=list(cell.oracle_ids), proxy=proxy),
        **outcome,
    )


def shards_of(cell: Cell, samples: Sequence[Sample]) -> dict[str, Shard]:
    """The shards of a cell's outputs, by stage."""
    return {
        stage: Shard(
            id=cell.shard_id(stage), recipe=cell.recipes.get(stage, {}), rows=rows, digest=digest
        )
        for stage, (rows, digest) in stage_digests(samples).items()
    }


def by_stage(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Samples grouped by the stage under which records store them."""
    stages: dict[str, list[Sample]] = {}
    for sample in samples:
        stages.setdefault(recorded_stage(sample.stage, sample.split), []).append(sample)
    return stages


def reference_info(name: str) -> MethodInfo:
    """The method entry in a target's or an oracle's record."""
    return MethodInfo(
        name=name,
        reference="",
        family="reference",
        sees=[],
        anchor=True,
        source_hash="",
        parameters={},
    )


def method_info(cls: type[Method], parameters: dict[str, Any]) -> MethodInfo:
    """The entry of a method in its records."""
    return MethodInfo(
        name=cls.name,
        reference=cls.reference,
        family=cls.family,
        sees=sorted(cls.sees),
        anchor=cls.anchor,
        source_hash=source_hash(cls),
        parameters=parameters,
    )
