"""From samples to values: a frame of per-example scores, and the values of a record.

Runs, validation and the bootstrap share these two steps; the bootstrap only changes the weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from benchmark.metrics.base import MEMBERSHIP_HOLDOUT, METRICS, Draws, Metric
from benchmark.metrics.distribution import MODEL_UTILITY, forget_quality, model_utility
from benchmark.metrics.patching import DEPTHS, unlearning_depth
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import BUDGET, MODEL_STAGE, PATCHING, POINT, sort_of

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


def _score(metric: Metric, sample: Sample) -> float:
    """The metric of a sample; NaN, counted as failed, if it cannot be scored."""
    try:
        return metric.example(sample)
    except ValueError:  # an example that cannot be scored is counted as failed, never as a value
        return float("nan")


def _scored(stage: str, split: str, form: str, features: frozenset[str]) -> list[Metric]:
    return [m for m in METRICS.values() if m.applies(stage, split, form, features)]


def example_frame(samples: Iterable[Sample]) -> pd.DataFrame:
    """One row per sample: stage, split, example, entity, form, features, strata (JSON), and a
    column per metric.

    NaN marks values that were not scored.
    """
    rows = []
    scored = lru_cache(maxsize=None)(_scored)
    for sample in samples:
        features = sample.features
        row: dict[str, object] = {
            "stage": sample.stage,
            "split": sample.split,
            "example": sample.example,
            "entity": sample.entity,
            "form": sample.form,
            "features": " ".join(sorted(features)),
        }
        row["strata"] = json.dumps(sample.strata, sort_keys=True)
        if not np.isnan(
            sample.logprobs
        ).any():  # greedy tokens of NaN are all wrong, and zero would be the best score
            metrics = scored(sample.stage, sample.split, sample.form, features)
            row |= {m.id: _score(m, sample) for m in metrics}
        rows.append(row)
    columns = ["stage", "split", "example", "entity", "form", "features", "strata", *METRICS]
    return _fitted(pd.DataFrame(rows).reindex(columns=columns))


def _fitted(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the columns of fitted metrics replaced by their classifiers' scores, stage by
    stage.
    """
    fits = {metric.id: metric.fit for metric in METRICS.values() if metric.fit is not None}
    for name, fit in fits.items():
        for _, part in frame[frame[name].notna()].groupby("stage"):
            forget, holdout = (
                part.index[part["split"] == split] for split in ("forget", MEMBERSHIP_HOLDOUT)
            )
            scores = fit(
                *(frame.loc[rows, name].to_numpy(dtype=float) for rows in (forget, holdout))
            )
            for rows, values in zip((forget, holdout), scores, strict=True):
                frame.loc[rows, name] = values
    return frame


def _plain(metric: Metric, values: np.ndarray, holdout: np.ndarray) -> float:
    return float(
        metric.aggregate(values, Draws.plain(len(values)), holdout, Draws.plain(len(holdout)))[0]
    )


def reported(
    whole: pd.DataFrame, part: pd.DataFrame, stage: str, split: str, holdout: pd.DataFrame
) -> list[Metric]:
    """The metrics reported for a stage and split: those that apply to its answer form and to the
    features common to all samples of the stage, its `part`, with a holdout if they need one.

    `whole` is the split as evaluated on the final model, whose forms count: attacks may be scored
    on a subset.
    """
    forms = set(whole["form"])
    features = [frozenset(names.split()) for names in part["features"].unique()]
    common = frozenset.intersection(*features)
    return [
        metric
        for metric in METRICS.values()
        if split in metric.splits
        and all(metric.applies(stage, split, form, common) for form in forms)
        and not (metric.contrast and holdout.empty)
    ]


def parts_of(frame: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """The rows of each stage and split."""
    return {
        (str(stage), str(split)): part
        for (stage, split), part in frame.groupby(["stage", "split"], sort=True)
    }


def strata_masks(part: pd.DataFrame, stage: str = MODEL_STAGE) -> dict[str, np.ndarray]:
    """Rows of each stratum: "all", then "name=value" in order; budget stages and points of an
    attack have only "all".
    """
    if sort_of(stage) in (BUDGET, POINT):
        return {ALL: np.ones(len(part), dtype=bool)}
    places, texts = pd.factorize(part["strata"])
    tags = [json.loads(text) for text in texts]
    names = sorted({(name, value) for tag in tags for name, value in tag.items()})
    masks = {
        f"{name}={value}": np.array([tag.get(name) == value for tag in tags])[places]
        for name, value in names
    }
    return {ALL: np.ones(len(part), dtype=bool), **masks}


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
        value = _plain(metric, numbers, holdout)
        values.append(Value(stage, split, metric.id, stratum, value, len(numbers) - failed, failed))
    return values


def summaries(frame: pd.DataFrame, oracles: Sequence[pd.DataFrame]) -> list[Value]:
    """Forget quality with its statistic, and model utility, if the final model has the values that
    they need.
    """
    final = frame[frame["stage"] == MODEL_STAGE]
    splits = {str(split): part for split, part in final.groupby("split")}
    holdout = splits.get(MEMBERSHIP_HOLDOUT, final.iloc[:0])
    present = {
        (m.id, split)
        for split, part in splits.items()
        for m in reported(part, part, MODEL_STAGE, split, holdout)
    }
    computed = []
    if ("truth_ratio", "forget") in present:
        ratios = _truth_ratios(frame)
        p_value, statistic = forget_quality(ratios, [_truth_ratios(oracle) for oracle in oracles])
        scored = int((~np.isnan(ratios)).sum())
        failed = len(ratios) - scored
        computed = [
            Value(MODEL_STAGE, "forget", name, ALL, value, scored, failed)
            for name, value in (("forget_quality", p_value), ("forget_quality_ks", statistic))
        ]
    if present.issuperset(MODEL_UTILITY):
        columns = {
            (name, split): splits[split][name].to_numpy(dtype=float)
            for name, split in MODEL_UTILITY
        }
        plain = {
            key: _plain(METRICS[key[0]], values, np.zeros(0)) for key, values in columns.items()
        }
        failed = sum(int(np.isnan(values).sum()) for values in columns.values())
        scored = sum(map(len, columns.values())) - failed
        computed.append(
            Value(MODEL_STAGE, ALL, "model_utility", ALL, model_utility(plain), scored, failed)
        )
    return computed + _depths(frame, oracles)


def _depths(frame: pd.DataFrame, oracles: Sequence[pd.DataFrame]) -> list[Value]:
    """The Unlearning Depth Score, averaged over oracles, with the least and the most of them; none
    where it is defined for no example.
    """
    depths = unlearning_depth(frame, oracles)
    defined = ~np.isnan(depths)
    pairs = zip(depths, defined, strict=True)
    by_oracle = [float(depth[known].mean()) for depth, known in pairs if known.any()]
    if not by_oracle:
        return []
    scored = int(defined.any(0).sum())
    failed = depths.shape[1] - scored
    return [
        Value(PATCHING, "forget", name, ALL, float(summarised(by_oracle)), scored, failed)
        for name, summarised in DEPTHS.items()
    ]


def _truth_ratios(frame: pd.DataFrame) -> np.ndarray:
    """c/(c+w) = 1/(1+R) on the forget set; the test depends on ranks only, so it equals TOFU's test
    on R.
    """
    rows = frame[(frame["stage"] == MODEL_STAGE) & (frame["split"] == "forget")]
    return rows["truth_ratio_cw"].to_numpy(dtype=float)


def metric_values(frame: pd.DataFrame, oracles: Sequence[pd.DataFrame]) -> list[Value]:
    """Every value of a record, from its own example frame and those of its oracles."""
    values: list[Value] = []
    parts = parts_of(frame)
    for (stage, split), part in parts.items():
        stage_rows = parts.get((stage, MEMBERSHIP_HOLDOUT), part.iloc[:0])
        masks = strata_masks(part, stage)
        whole = parts.get((MODEL_STAGE, split), part)
        for metric in reported(whole, part, stage, split, stage_rows):
            holdout = stage_rows[metric.id].to_numpy(dtype=float)
            values += _split_values(metric, stage, split, part, masks, holdout)
    return values + summaries(frame, oracles)
