"""How much each attack undoes, and how far attacks agree on what was forgotten: rank correlations
between the forgetting that methods keep after each attack.

Kendall's tau-b over the points that two attacks share. A point is a method on a variant where both
attacks are informative. Methods are resampled with all their variants; a method drawn twice ties
with itself, and tau-b leaves such pairs out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd

from benchmark.statistics.axes import LEAST_GAP, TIE
from benchmark.statistics.bootstrap import REPLICATES, SEED, interval, mean_of_picks
from benchmark.statistics.scores import forgetting_before
from benchmark.statistics.tables import Place, Row, spread, where_of
from benchmark.statistics.variants import VariantScores, seed_picks

WITHOUT = "no attack"


def attack_rows(place: Place, scores: VariantScores) -> Iterator[Row]:
    """Yields the forgetting of each method, averaged over its seeds, without an attack and after
    each attack. `undone`, with an interval, is the share of forgetting that the attack reverses, by
    the metrics that are informative after it; NaN if one of them is uninformative before it, or if
    less than LEAST_GAP was forgotten.
    """
    where = where_of(place)
    for method, runs in sorted(scores.runs.items()):
        measured = [run.scored for run in runs.values()]
        drawn = seed_picks(len(measured), scores.replicates)
        pairs = {WITHOUT: [(run.axes["forgetting"],) * 2 for run in measured]}
        pairs |= {
            name: [(run.attacks[name], forgetting_before(run, name)) for run in measured]
            for name in measured[0].attacks
        }
        for name, by_seed in pairs.items():
            after, before = (
                mean_of_picks(np.vstack(values), drawn) for values in zip(*by_seed, strict=True)
            )
            row = where | {"method": method, "attack": name, "value": float(after[0])}
            forgotten = np.where(before < LEAST_GAP, np.nan, before)
            yield row | spread("undone", 1 - after / forgotten)


def agreement(rows: pd.DataFrame, replicates: int = REPLICATES) -> pd.DataFrame:
    """A row per pair of attacks that share points: one, other, tau with low and high, and the
    numbers of points and methods behind it; tau is NaN if all points of one attack tie.
    """
    attacks = list(dict.fromkeys(rows["attack"]))
    points = rows.pivot(index=["method", "task", "variant"], columns="attack", values="value")
    shared = (points[list(pair)].dropna() for pair in combinations(attacks, 2))
    return pd.DataFrame(
        [_compared(pair, replicates) for pair in shared if len(pair)],
        columns=["one", "other", "tau", "low", "high", "points", "methods"],
    )


def _compared(points: pd.DataFrame, replicates: int) -> Row:
    methods, cluster = np.unique(points.index.get_level_values("method"), return_inverse=True)
    n = len(methods)
    drawn = np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), size=replicates)
    weights = np.vstack([np.ones((1, n)), drawn])[:, cluster]
    one, other = points.columns
    values = tau_b(points[one].to_numpy(), points[other].to_numpy(), weights)
    low, high = interval(values)
    found = {"one": one, "other": other, "tau": float(values[0]), "low": low, "high": high}
    return found | {"points": len(points), "methods": n}


def tau_b(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(B,) Kendall's tau-b of (n,) values under (B, n) weights; NaN if all of `x` or `y` tie."""
    signs = [_signs(values) for values in (x, y)]

    def summed(of_pairs: np.ndarray) -> np.ndarray:
        return ((weights @ of_pairs) * weights).sum(1)

    untied = summed(signs[0] ** 2) * summed(signs[1] ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(untied > 0, summed(signs[0] * signs[1]) / np.sqrt(untied), np.nan)


def _signs(values: np.ndarray) -> np.ndarray:
    """(n, n) signs of the pairwise differences, 0 for ties."""
    apart = np.subtract.outer(values, values)
    return np.where(np.abs(apart) > TIE, np.sign(apart), 0)
