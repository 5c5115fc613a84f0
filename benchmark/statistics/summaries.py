"""TOFU's own measures, forget quality and model utility, of models whose forgotten answers are
sentences as TOFU's are.

Maini et al. 2024, section 2.2. They are values of a model as a whole: their spread is that over
seeds, not an interval.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from benchmark.metrics.stages import MODEL_STAGE
from benchmark.metrics.values import summaries

Place = tuple[str, str, str]


def summary_rows(
    place: Place,
    index: pd.DataFrame,
    examples: Mapping[str, pd.DataFrame],
    names: Collection[str],
) -> Iterator[dict[str, object]]:
    """A row per quantity of each of these methods and references: the mean over its runs, the
    least and the greatest of them.

    A run is compared with all oracles, an oracle with the others.
    """
    if not _of_sentences(examples[index.loc[index["role"] == "target", "id"].iloc[0]]):
        return
    oracles = list(index.loc[index["role"] == "oracle", "id"])
    where = dict(zip(("track", "task", "variant"), place, strict=True))
    named = index["method"].where(index["role"] == "method", index["role"])
    for method, runs in index[named.isin(names)].groupby(named, sort=True):
        by_metric: dict[str, list[float]] = {}
        for run_id in runs["id"]:
            others = [examples[oracle] for oracle in oracles if oracle != run_id]
            for value in summaries(examples[run_id], others):
                by_metric.setdefault(value.metric, []).append(value.value)
        yield from (
            where | {"method": method, "quantity": name} | _spread(values)
            for name, values in by_metric.items()
        )


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"value": float(np.mean(values)), "low": min(values), "high": max(values)}


def _of_sentences(target: pd.DataFrame) -> bool:
    """Whether the forgotten answers are sentences."""
    forgotten = (target["stage"] == MODEL_STAGE) & (target["split"] == "forget")
    return set(target.loc[forgotten, "form"]) == {"sentence"}
