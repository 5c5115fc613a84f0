"""From samples to values: a frame of per-example scores, and the values of a record.

The same two steps serve the run that writes a record, the validation that recomputes it, and the bootstrap, which
only changes the weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.metrics.base import MEMBERSHIP_HOLDOUT, METRICS, Metric, weighted_auc, weighted_mean
from benchmark.metrics.distribution import MODEL_UTILITY, forget_quality, model_utility
from benchmark.metrics.sample import Sample

MODEL_STAGE = "model"
ALL = "all"


@dataclass(frozen=True)
class Value:
    """One aggregated value with the number of examples behind it."""

    stage: str
    split: str
    metric: str
    stratum: str
    value: float
    n_scored: int
    n_failed: int


def applies(metric: Metric, stage: str, split: str) -> bool:
    """Whether the metric is scored on samples of this stage and split."""
    if stage != MODEL_STAGE and not metric.attacked:
        return False
    return split in metric.splits or (metric.contrast and split == MEMBERSHIP_HOLDOUT)


def _score(metric: Metric, sample: Sample) -> float:
    """The metric of a sample; NaN, which counts as failed, where it cannot be scored."""
    try:
        return metric.example(sample)
    except ValueError:  # an example that cannot be scored is counted as failed, never as a value
        return float("nan")


def example_frame(samples: Iterable[Sample]) -> pd.DataFrame:
    """One row per sample: stage, split, example, entity, strata (JSON), and a column per metric (NaN: not scored)."""
    rows = []
    for sample in samples:
        row: dict[str, object] = {
            "stage": sample.stage,
            "split": sample.split,
            "example": sample.example,
            "entity": sample.entity,
        }
        row["strata"] = json.dumps(sample.strata, sort_keys=True)
        if not np.isnan(sample.logprobs).any():  # greedy tokens of NaN are all wrong, and zero would be the best score
            scored = (m for m in METRICS.values() if applies(m, sample.stage, sample.split))
            row |= {m.id: _score(m, sample) for m in scored}
        rows.append(row)
    columns = ["stage", "split", "example", "entity", "strata", *METRICS]
    return pd.DataFrame(rows).reindex(columns=columns)


def aggregate(
    metric: Metric, values: np.ndarray, weights: np.ndarray, holdout: np.ndarray, holdout_weights: np.ndarray
) -> np.ndarray:
    """The metric over (n,) values under (B, n) weights, (B,); `holdout` matters to contrast metrics only."""
    if metric.contrast:
        return weighted_auc(values, holdout, weights, holdout_weights)
    return weighted_mean(values, weights)


def _plain(metric: Metric, values: np.ndarray, holdout: np.ndarray) -> float:
    one, other = np.ones((1, len(values))), np.ones((1, len(holdout)))
    return float(aggregate(metric, values, one, holdout, other)[0])


def strata_masks(part: pd.DataFrame) -> dict[str, np.ndarray]:
    """Rows of each stratum, "all" first, then "name=value" in order."""
    tags = [json.loads(text) for text in part["strata"]]
    names = sorted({(name, value) for tag in tags for name, value in tag.items()})
    masks = {f"{name}={value}": np.array([tag.get(name) == value for tag in tags]) for name, value in names}
    return {ALL: np.ones(len(part), dtype=bool), **masks}


def _split_values(
    metric: Metric, stage: str, split: str, part: pd.DataFrame, masks: dict[str, np.ndarray], holdout: np.ndarray
) -> list[Value]:
    column = part[metric.id].to_numpy(dtype=float)
    found = []
    for stratum, mask in masks.items():
        values = column[mask]
        failed = int(np.isnan(values).sum())
        value = _plain(metric, values, holdout)
        found.append(Value(stage, split, metric.id, stratum, value, len(values) - failed, failed))
    return found


def _summaries(frame: pd.DataFrame, values: list[Value], oracles: Sequence[pd.DataFrame]) -> list[Value]:
    """Forget quality with its statistic, and model utility: values of the model as a whole."""

    def ratios(frame: pd.DataFrame) -> np.ndarray:
        rows = frame[(frame["stage"] == MODEL_STAGE) & (frame["split"] == "forget")]
        return rows["truth_ratio"].to_numpy(dtype=float)

    own = ratios(frame)
    p_value, statistic = forget_quality(own, [ratios(oracle) for oracle in oracles])
    plain = {(v.metric, v.split): v.value for v in values if v.stage == MODEL_STAGE and v.stratum == ALL}
    scored = int((~np.isnan(own)).sum())
    found = [
        Value(MODEL_STAGE, "forget", "forget_quality", ALL, p_value, scored, len(own) - scored),
        Value(MODEL_STAGE, "forget", "forget_quality_ks", ALL, statistic, scored, len(own) - scored),
    ]
    parts = [v for v in values if (v.metric, v.split) in MODEL_UTILITY and (v.stage, v.stratum) == (MODEL_STAGE, ALL)]
    counts = (sum(v.n_scored for v in parts), sum(v.n_failed for v in parts))
    return [*found, Value(MODEL_STAGE, ALL, "model_utility", ALL, model_utility(plain), *counts)]


def metric_values(frame: pd.DataFrame, oracles: Sequence[pd.DataFrame]) -> list[Value]:
    """Every value of a record, from its example frame and those of the oracles it is compared with."""
    values: list[Value] = []
    for place, part in frame.groupby(["stage", "split"], sort=True):
        stage, split = map(str, place)  # type: ignore[arg-type]  # pandas types group keys as Hashable
        stage_rows = frame[(frame["stage"] == stage) & (frame["split"] == MEMBERSHIP_HOLDOUT)]
        masks = strata_masks(part)
        for metric in METRICS.values():
            if split in metric.splits and applies(metric, stage, split):
                holdout = stage_rows[metric.id].to_numpy(dtype=float)
                values += _split_values(metric, stage, split, part, masks, holdout)
    return values + _summaries(frame, values, oracles)
