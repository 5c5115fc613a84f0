"""Agreement of metrics on what was forgotten: rank correlations between the recoveries by each
metric.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmark.metrics.frames import ALL
from benchmark.records.identity import ORACLE, TARGET
from benchmark.statistics.attack_agreement import agreement
from benchmark.statistics.meta_evaluation import labelled
from benchmark.statistics.scores import informative, recovery

Row = dict[str, object]


def metric_agreement(values: pd.DataFrame) -> pd.DataFrame:
    """A row per pair of metrics that are informative on a common variant: one, other, tau
    (Kendall's tau-b) with low and high, and the points and methods behind it (see
    `attack_agreement`).

    `values` are those of `meta_evaluation.values_of` on one track. A point is one method, anchors
    excluded, on one variant, given by the recovery of its mean over seeds.
    """
    rows = _recoveries(labelled(values[values["stratum"] == ALL]))
    columns = ["variant", "method", "attack", "value"]
    return agreement(pd.DataFrame(rows, columns=columns).assign(task=""))


def _recoveries(values: pd.DataFrame) -> Iterator[Row]:
    """Yields the recovery of each method on each variant, by each metric informative there."""
    for (variant, metric), part in values.groupby(["variant", "metric"], sort=True):
        by_role = dict(list(part.groupby("method")["value"]))
        target, oracles = by_role.get(TARGET), by_role.get(ORACLE)
        if target is None or oracles is None:
            continue
        known, expected = target.mean(), oracles.mean()
        if not informative(known, oracles.to_numpy()):
            continue
        methods = part[~part["anchor"] & ~part["method"].isin([TARGET, ORACLE])]
        for method, mean in methods.groupby("method")["value"].mean().items():
            ends = (np.array([end]) for end in (mean, known, expected))
            found = {"variant": variant, "method": method, "attack": metric}
            yield found | {"value": float(recovery(*ends)[0])}
