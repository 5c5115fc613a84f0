"""Model-level metrics, which compare a model with oracles or summarize it in one number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmark.metrics.base import MEMBERSHIP_HOLDOUT, METRICS, Value, plain_value
from benchmark.metrics.distribution import (
    MODEL_UTILITY,
    forget_quality,
    model_utility,
    privacy_leakage,
)
from benchmark.metrics.frames import ALL, reported
from benchmark.metrics.margins import binned_kl
from benchmark.metrics.patching import DEPTHS, unlearning_depth
from benchmark.metrics.stages import MODEL_STAGE, PATCHING

NOTHING = np.zeros(0)


def summaries(frame: pd.DataFrame, oracles: Sequence[pd.DataFrame]) -> list[Value]:
    """The model-level metrics whose required values are in the frame."""
    present = _present(frame)
    computed: list[Value] = []
    if ("truth_ratio", "forget") in present:
        computed += _forget_quality(frame, oracles)
    if present.issuperset(MODEL_UTILITY):
        computed.append(_model_utility(frame))
    if oracles and ("mia_min_k", "forget") in present:
        computed.append(_privacy_leakage(frame, oracles))
    if oracles and ("margin", "forget") in present:
        computed.append(_margin_divergence(frame, oracles))
    return computed + _depths(frame, oracles)


def _present(frame: pd.DataFrame) -> set[tuple[str, str]]:
    """The (metric, split) pairs reported for the final model."""
    final = frame[frame["stage"] == MODEL_STAGE]
    splits = {str(split): part for split, part in final.groupby("split")}
    holdout = splits.get(MEMBERSHIP_HOLDOUT, final.iloc[:0])
    return {
        (metric.id, split)
        for split, part in splits.items()
        for metric in reported(part, part, MODEL_STAGE, split, holdout)
    }


def _column(frame: pd.DataFrame, metric: str, split: str = "forget") -> np.ndarray:
    """(n,) values of a metric on the final model's examples."""
    rows = (frame["stage"] == MODEL_STAGE) & (frame["split"] == split)
    return frame.loc[rows, metric].to_numpy(dtype=float)


def _value(split: str, name: str, value: float, columns: Sequence[np.ndarray]) -> Value:
    """The value with the numbers of scored and failed examples in its columns."""
    failed = sum(int(np.isnan(column).sum()) for column in columns)
    scored = sum(map(len, columns)) - failed
    return Value(MODEL_STAGE, split, name, ALL, value, scored, failed)


def _forget_quality(frame: pd.DataFrame, oracles: Sequence[pd.DataFrame]) -> list[Value]:
    """c/(c+w) = 1/(1+R): the test depends on ranks only, so it equals TOFU's test on R."""
    ratios, *others = [_column(model, "truth_ratio_cw") for model in (frame, *oracles)]
    p_value, statistic = forget_quality(ratios, others)
    named = {"forget_quality": p_value, "forget_quality_ks": statistic}
    return [_value("forget", name, value, [ratios]) for name, value in named.items()]


def _model_utility(frame: pd.DataFrame) -> Value:
    columns = {(name, split): _column(frame, name, split) for name, split in MODEL_UTILITY}
    plain = {
        (name, split): plain_value(METRICS[name], values, NOTHING)
        for (name, split), values in columns.items()
    }
    return _value(ALL, "model_utility", model_utility(plain), list(columns.values()))


def _privacy_leakage(frame: pd.DataFrame, oracles: Sequence[pd.DataFrame]) -> Value:
    min_k = METRICS["mia_min_k"]
    auc, *others = [
        plain_value(min_k, _column(m, min_k.id), _column(m, min_k.id, MEMBERSHIP_HOLDOUT))
        for m in (frame, *oracles)
    ]
    leakage = privacy_leakage(auc, others)
    return _value("forget", "privleak", leakage, [_column(frame, min_k.id)])


def _margin_divergence(frame: pd.DataFrame, oracles: Sequence[pd.DataFrame]) -> Value:
    """KL divergence between the model's histogram of margins over examples and the pooled histogram
    of all oracles.
    """
    margins, *others = [_column(model, "margin") for model in (frame, *oracles)]
    return _value("forget", "margin_kl", binned_kl(margins, np.concatenate(others)), [margins])


def _depths(frame: pd.DataFrame, oracles: Sequence[pd.DataFrame]) -> list[Value]:
    """Mean, minimum and maximum of the Unlearning Depth Score over oracles; empty if it is defined
    for no example.
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
