"""Computes every value of a record from example frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmark.metrics.base import MEMBERSHIP_HOLDOUT, Metric, Value, plain_value
from benchmark.metrics.frames import parts_of, relative_to, reported, strata_masks
from benchmark.metrics.stages import MODEL_STAGE
from benchmark.metrics.summaries import summaries


def _split_values(
    metric: Metric,
    stage: str,
    split: str,
    part: pd.DataFrame,
    masks: dict[str, np.ndarray],
    holdout: np.ndarray,
) -> list[Value]:
    column = part[metric.id].to_numpy(dtype=float)
    values = []
    for stratum, mask in masks.items():
        numbers = column[mask]
        failed = int(np.isnan(numbers).sum())
        value = plain_value(metric, numbers, holdout)
        values.append(Value(stage, split, metric.id, stratum, value, len(numbers) - failed, failed))
    return values


def metric_values(
    frame: pd.DataFrame, oracles: Sequence[pd.DataFrame], target: pd.DataFrame | None = None
) -> list[Value]:
    """Every value of a record, from its example frame and the frames of its oracles and target."""
    values: list[Value] = []
    related = relative_to(oracles, frame, target)
    parts = parts_of(related)
    for (stage, split), part in parts.items():
        stage_rows = parts.get((stage, MEMBERSHIP_HOLDOUT), part.iloc[:0])
        masks = strata_masks(part, stage)
        whole = parts.get((MODEL_STAGE, split), part)
        for metric in reported(whole, part, stage, split, stage_rows):
            if metric.relative and not oracles:
                continue
            if metric.united and related[metric.id].isna().all():
                continue
            holdout = stage_rows[metric.id].to_numpy(dtype=float)
            values += _split_values(metric, stage, split, part, masks, holdout)
    return values + summaries(frame, oracles)
