"""Values of a model as a whole, over its seeds: their spread is the range over seeds, not an
interval.

TOFU's own measures are reported for models whose forgotten answers are sentences, as in TOFU (Maini
et al. 2024, section 2.2), divergences from the oracles for all models.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
import pandas as pd

from benchmark.metrics.margins import energy_distances, klom
from benchmark.metrics.stages import MODEL_STAGE
from benchmark.metrics.summaries import summaries
from benchmark.statistics.tables import Place, where_of

TOFU = ("forget_quality", "forget_quality_ks", "model_utility")


def _worst(divergences: np.ndarray) -> float:
    return float(np.nanquantile(divergences, 0.95))


def summary_rows(
    place: Place,
    index: pd.DataFrame,
    examples: Mapping[str, pd.DataFrame],
    names: Collection[str],
) -> Iterator[dict[str, object]]:
    """A row per quantity of each of these methods and references: the mean over its runs, their
    minimum and their maximum.

    A run is compared with all oracles, an oracle with the other oracles. KLOM and the energy
    distance compare all runs at once; their range is over all runs together and each way to leave
    one out.
    """
    target = examples[index.loc[index["role"] == "target", "id"].iloc[0]]
    left_out = () if _of_sentences(target) else TOFU
    oracles = list(index.loc[index["role"] == "oracle", "id"])
    where = where_of(place)
    named = index["method"].where(index["role"] == "method", index["role"])
    for method, runs in index[named.isin(names)].groupby(named, sort=True):
        by_metric: dict[str, list[float]] = {}
        for run_id in runs["id"]:
            others = [examples[oracle] for oracle in oracles if oracle != run_id]
            for value in summaries(examples[run_id], others):
                by_metric.setdefault(value.metric, []).append(value.value)
        spreads = {name: _spread(values) for name, values in by_metric.items()}
        spreads |= _divergences(list(runs["id"]), oracles, examples)
        yield from (
            where | {"method": method, "quantity": name} | spread
            for name, spread in spreads.items()
            if name not in left_out
        )


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"value": float(np.mean(values)), "low": min(values), "high": max(values)}


def _divergences(
    runs: list[str], oracles: list[str], examples: Mapping[str, pd.DataFrame]
) -> dict[str, dict[str, float]]:
    """Divergences of runs from the oracles; for oracles, the mean over comparing each with the
    others. Empty if no margins can be compared or there are fewer than two oracles.
    """
    margins = {name: _margins(examples[name]) for name in dict.fromkeys(chain(runs, oracles))}
    table = pd.DataFrame(margins).dropna()
    if table.empty or len(oracles) < 2:
        return {}

    def apart(models: list[str]) -> dict[str, float]:
        others = [oracle for oracle in oracles if oracle not in models]
        return _apart(table[models].to_numpy().T, table[others].to_numpy().T)

    if set(runs) <= set(oracles):
        by_oracle = pd.DataFrame([apart([run]) for run in runs])
        return {str(name): _spread(values.tolist()) for name, values in by_oracle.items()}
    fewer = [[run for run in runs if run != left] for left in runs if len(runs) > 1]
    compared = pd.DataFrame([apart(some) for some in (runs, *fewer)])
    return {
        str(name): _spread(values.tolist()) | {"value": float(values[0])}
        for name, values in compared.items()
    }


def _apart(margins: np.ndarray, oracles: np.ndarray) -> dict[str, float]:
    """Divergences of margins (runs, n) from those of the oracles (oracles, n), computed per example
    and summarized over examples.
    """
    binned, energy = klom(margins, oracles), energy_distances(margins, oracles)
    return {
        "klom": float(np.nanmean(binned)),
        "klom_p95": _worst(binned),
        "klom_energy": float(np.nanmean(energy)),
    }


def _margins(frame: pd.DataFrame) -> pd.Series:
    rows = frame[(frame["stage"] == MODEL_STAGE) & (frame["split"] == "forget")]
    return rows.set_index("example")["margin"].astype(float)


def _of_sentences(target: pd.DataFrame) -> bool:
    """Whether all forgotten answers are sentences."""
    forgotten = (target["stage"] == MODEL_STAGE) & (target["split"] == "forget")
    return set(target.loc[forgotten, "form"]) == {"sentence"}
