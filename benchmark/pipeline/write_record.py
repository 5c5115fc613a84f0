"""Records of cells, of failed ones too."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.core.source_hash import source_hash
from benchmark.metrics import METRICS, Sample
from benchmark.metrics.distribution import SUMMARIES
from benchmark.metrics.values import Value
from benchmark.models.placement import gpu_name
from benchmark.pipeline.plan import Cell
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.variant import Variant
from benchmark.records.provenance import collect
from benchmark.records.samples import samples_to_bytes, sha256
from benchmark.records.schema import (
    ORACLE,
    SCHEMA_VERSION,
    TARGET,
    BudgetInfo,
    Cost,
    Failure,
    MethodInfo,
    MetricValue,
    ModelInfo,
    Record,
    References,
    SamplesInfo,
    TaskInfo,
)
from benchmark.records.store import ResultStore


def write_failure(
    cells: Sequence[Cell], variant: Variant, failure: Failure, results: ResultStore
) -> None:
    """Error records for cells whose work failed or whose process died."""
    for cell in cells:
        record = Record(
            schema_version=SCHEMA_VERSION,
            id=cell.id,
            status="error",
            track=cell.track,
            task=TaskInfo(
                name=cell.task,
                version=variant.definition.version,
                variant=cell.variant,
                data_fingerprint="",
            ),
            model=None,
            method=method_info(cell),
            seed=cell.seed,
            budget=budget_info(variant),
            references=references_of(cell, variant),
            values=[],
            samples=None,
            provenance=collect(
                Cost(steps=0, tokens=0, seconds={}), 1, gpu_name(), variant.track.precision, {}
            ),
            error=failure,
        )
        results.write(record, None)


def budget_info(variant: Variant) -> BudgetInfo:
    return BudgetInfo(steps=variant.budget.steps, batch_size=variant.budget.batch_size)


def references_of(cell: Cell, variant: Variant) -> References:
    return References(
        target=cell.target_id, oracles=list(cell.oracle_ids), proxy=bool(variant.data.proxies)
    )


def method_info(cell: Cell) -> MethodInfo:
    if cell.method in (TARGET, ORACLE):
        return MethodInfo(
            name=cell.method,
            reference="",
            family="reference",
            sees=[],
            anchor=True,
            source_hash="",
            parameters={},
        )
    cls = method_named(cell.method)
    return MethodInfo(
        name=cls.name,
        reference=cls.reference,
        family=cls.family,
        sees=sorted(cls.sees),
        anchor=cls.anchor,
        source_hash=source_hash(cls),
        parameters=create(cls, cell.parameters).parameters,
    )


def _metric_value(value: Value) -> MetricValue:
    metric = METRICS.get(value.metric)
    better, unit, version = (
        (metric.better, metric.unit, metric.version) if metric else SUMMARIES[value.metric]
    )
    return MetricValue(**vars(value), version=version, better=better, unit=unit)


def write_success(
    cell: Cell,
    variant: Variant,
    model: ModelInfo,
    samples: Sequence[Sample],
    values: Sequence[Value],
    cost: Cost,
    context: RunContext,
) -> None:
    content = samples_to_bytes(samples)
    record = Record(
        schema_version=SCHEMA_VERSION,
        id=cell.id,
        status="ok",
        track=cell.track,
        task=TaskInfo(
            name=cell.task,
            version=variant.definition.version,
            variant=cell.variant,
            data_fingerprint=variant.data_fingerprint,
        ),
        model=model,
        method=method_info(cell),
        seed=cell.seed,
        budget=budget_info(variant),
        references=references_of(cell, variant),
        values=[_metric_value(v) for v in values],
        samples=SamplesInfo(
            file=f"{cell.id}.samples.parquet", sha256=sha256(content), rows=len(samples)
        ),
        provenance=collect(
            cost, torch.get_num_threads(), gpu_name(), variant.track.precision, variant.settings
        ),
        error=None,
    )
    context.results.write(record, content)
