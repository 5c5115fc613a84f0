"""What is still known by each probe and by any of them (see `metrics.union`), with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.metrics.stages import MODEL_STAGE
from benchmark.metrics.union import counted, known_by_any, known_by_probe
from benchmark.records.identity import ORACLE, TARGET
from benchmark.statistics.bootstrap import (
    SEED,
    draws_of,
    entity_weights,
    interval,
    mean_of_picks,
    picks,
)
from benchmark.statistics.variants import seed_picks

UNION, DIFFERENCE = "any probe", "any probe, less oracle"

Place = tuple[str, str, str]
Row = dict[str, object]


def probe_rows(
    place: Place,
    index: pd.DataFrame,
    examples: Mapping[str, pd.DataFrame],
    replicates: int,
    names: Sequence[str],
) -> Iterator[Row]:
    """A row per quantity of each of these methods and references, with its interval over entities,
    seeds and oracles.

    `UNION` is the share of examples that are known by any probe, `DIFFERENCE` that less the
    oracles'; each probe has the share of the examples that it asks for, which of the target is its
    pass rate. None where nothing is asked in other ways, or of a method that was not asked in all.
    """
    references = _references(index, examples, replicates)
    if references is None:
        return
    where: Row = dict(zip(("track", "task", "variant"), place, strict=True))
    named = index["method"].where(index["role"] == "method", index["role"])
    for method in names:
        runs = index[named == method].sort_values("seed")
        known = [known_by_probe(examples[record]) for record in runs["id"]]
        if not all(references.asked <= set(run.columns) for run in known):
            continue
        chosen = references.picked if method == ORACLE else seed_picks(len(known), replicates)
        for quantity, values, count in references.quantities(known, chosen):
            if (method, quantity) == (ORACLE, DIFFERENCE):
                continue
            low, high = interval(values)
            ends = {"value": float(values[0]), "low": low, "high": high, "n": count}
            yield where | {"method": method, "quantity": quantity} | ends


@dataclass(frozen=True)
class _References:
    """What the target knows by each probe, and the oracles by any; `weights` (B, n) and `picked`
    (B, oracles) are the draws of examples and oracles.
    """

    target: pd.DataFrame
    oracle: np.ndarray
    weights: np.ndarray
    picked: np.ndarray

    @property
    def asked(self) -> set[str]:
        return set(self.target.columns)

    def quantities(
        self, known: Sequence[pd.DataFrame], chosen: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray, int]]:
        """(quantity, its (B,) values, examples behind it) of the runs of a method."""
        passed = self.target == 1
        any_of_them = counted(passed)
        union = _mean([known_by_any(run, any_of_them) for run in known], self.weights, chosen)
        yield UNION, union, len(passed)
        yield DIFFERENCE, union - self.oracle, len(passed)
        for probe, answers in self.target.items():
            asked = answers.notna().to_numpy()
            told = [known_by_any(run, passed[[probe]])[asked] for run in known]
            yield str(probe), _mean(told, self.weights[:, asked], chosen), int(asked.sum())


def _references(
    index: pd.DataFrame, examples: Mapping[str, pd.DataFrame], replicates: int
) -> _References | None:
    """None where target and oracles were not all asked in other ways."""
    frame = examples[index.loc[index["role"] == TARGET, "id"].iloc[0]]
    ids = index[index["role"] == ORACLE].sort_values("seed")["id"]
    target, oracles = known_by_probe(frame), [known_by_probe(examples[i]) for i in ids]
    if len(counted(target).columns) < 2 or not all(
        set(target) <= set(oracle) for oracle in oracles
    ):
        return None
    rng = np.random.default_rng(SEED)
    rows = frame[(frame["stage"] == MODEL_STAGE) & (frame["split"] == "forget")]
    rows = rows.set_index("example", drop=False).loc[target.index]
    weights = draws_of(rows, entity_weights(rows, replicates, rng)).each()
    picked = picks(len(oracles), replicates, rng)
    unions = [known_by_any(oracle, counted(target == 1)) for oracle in oracles]
    return _References(target, _mean(unions, weights, picked), weights, picked)


def _mean(values: Sequence[np.ndarray], weights: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(B,) weighted means of (n,) values of each run, over the runs that each replicate chose; what
    failed weighs nothing.
    """
    by_run = []
    for run in values:
        scored = ~np.isnan(run)
        with np.errstate(invalid="ignore"):
            by_run.append((weights[:, scored] @ run[scored]) / weights[:, scored].sum(1))
    return mean_of_picks(np.vstack(by_run), chosen)
