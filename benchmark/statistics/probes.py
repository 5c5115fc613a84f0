"""Knowledge found by each probe and by any of them (see `metrics.union`), with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from benchmark.statistics.tables import Place, Row, where_of
from benchmark.statistics.variants import ids_of, seed_picks

UNION, DIFFERENCE = "any probe", "any probe, minus oracles"


def probe_rows(
    place: Place,
    index: pd.DataFrame,
    examples: Mapping[str, pd.DataFrame],
    replicates: int,
    names: Sequence[str],
) -> Iterator[Row]:
    """A row per quantity of each of these methods and references, with its interval over entities,
    seeds and oracles.

    `UNION` is the share of examples that any probe finds known, `DIFFERENCE` that share minus the
    oracles'. Each probe has the share that it finds known, where the target passes it, of the
    examples that it asks for; for the target this is the pass rate. No rows if only the direct
    question was asked, or for a method that was not asked by every probe.
    """
    references = _references(index, examples, replicates)
    if references is None:
        return
    where: Row = where_of(place)
    named = index["method"].where(index["role"] == "method", index["role"])
    for method in names:
        runs = index[named == method].sort_values("seed")
        known = [known_by_probe(examples[record]) for record in runs["id"]]
        if not all(references.asked <= set(run.columns) for run in known):
            continue
        own = [[of] if method != ORACLE else references.targets for of in runs["target"]]
        passed = [[references.targets[of] == 1 for of in targets] for targets in own]
        chosen = references.picked if method == ORACLE else seed_picks(len(known), replicates)
        for quantity, values, count in references.quantities(known, passed, chosen):
            if (method, quantity) == (ORACLE, DIFFERENCE):
                continue
            low, high = interval(values)
            ends = {"value": float(values[0]), "low": low, "high": high, "n": count}
            yield where | {"method": method, "quantity": quantity} | ends


@dataclass(frozen=True)
class _References:
    """Knowledge of each target by each probe, by record, and of the oracles by any probe; `weights`
    (B, n) and `picked` (B, oracles) are the draws of examples and oracles.
    """

    targets: Mapping[str, pd.DataFrame]
    oracle: np.ndarray
    weights: np.ndarray
    picked: np.ndarray

    @property
    def first(self) -> pd.DataFrame:
        return next(iter(self.targets.values()))

    @property
    def asked(self) -> set[str]:
        return set(self.first.columns)

    def quantities(
        self,
        known: Sequence[pd.DataFrame],
        passed: Sequence[Sequence[pd.DataFrame]],
        chosen: np.ndarray,
    ) -> Iterator[tuple[str, np.ndarray, int]]:
        """Yields (quantity, (B,) values, number of examples) for the runs of a method; `passed`
        has, for each run, the probes passed by the targets with which it is compared.
        """
        runs = list(zip(known, passed, strict=True))
        any_of_them = [_known(run, map(counted, told)) for run, told in runs]
        union = _mean(any_of_them, self.weights, chosen)
        yield UNION, union, len(self.first)
        yield DIFFERENCE, union - self.oracle, len(self.first)
        for probe, answers in self.first.items():
            asked = answers.notna().to_numpy()
            told = [_known(run, (own[[probe]] for own in passes))[asked] for run, passes in runs]
            yield str(probe), _mean(told, self.weights[:, asked], chosen), int(asked.sum())


def _references(
    index: pd.DataFrame, examples: Mapping[str, pd.DataFrame], replicates: int
) -> _References | None:
    """Knowledge of targets and oracles; None unless all were asked by the same probes, at least
    two.
    """
    target_ids, oracle_ids = ids_of(index, TARGET), ids_of(index, ORACLE)
    targets = {i: known_by_probe(examples[i]) for i in target_ids}
    oracles = [known_by_probe(examples[i]) for i in oracle_ids]
    first = targets[target_ids[0]]
    if len(counted(first).columns) < 2 or not all(
        set(first) <= set(other) for other in (*targets.values(), *oracles)
    ):
        return None
    rng, frame = np.random.default_rng(SEED), examples[target_ids[0]]
    rows = frame[(frame["stage"] == MODEL_STAGE) & (frame["split"] == "forget")]
    rows = rows.set_index("example", drop=False).loc[first.index]
    weights = draws_of(rows, entity_weights(rows, replicates, rng)).each()
    picked = picks(len(oracles), replicates, rng)
    passed = [counted(target == 1) for target in targets.values()]
    unions = [_known(oracle, passed) for oracle in oracles]
    return _References(targets, _mean(unions, weights, picked), weights, picked)


def _known(run: pd.DataFrame, passed: Iterable[pd.DataFrame]) -> np.ndarray:
    """(n,) whether any probe passed by a target finds the example known, averaged over targets."""
    return np.mean([known_by_any(run, told) for told in passed], axis=0)


def _mean(values: Sequence[np.ndarray], weights: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(B,) weighted means of each run's (n,) values, averaged over the runs that each replicate
    drew; failed examples are left out.
    """
    by_run = []
    for run in values:
        scored = ~np.isnan(run)
        with np.errstate(invalid="ignore"):
            by_run.append((weights[:, scored] @ run[scored]) / weights[:, scored].sum(1))
    return mean_of_picks(np.vstack(by_run), chosen)
