"""The bootstrap: which entities, seeds and oracles each replicate draws.

Entities are the clusters: all examples about one entity are drawn together, within their split.
Methods on a variant share the draws of entities and oracles, so that their differences are paired.
Row 0 is always the plain estimate, in which each entity, seed and oracle counts once.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.base import Draws

REPLICATES = 1000
SEED = 20240501
LEVEL = 0.95

EntityWeights = dict[str, tuple[pd.Index, np.ndarray]]


def entity_weights(
    examples: pd.DataFrame, replicates: int, rng: np.random.Generator
) -> EntityWeights:
    """By split, the entities of the examples and how often each replicate draws them:
    (replicates + 1, entities).
    """
    weights: EntityWeights = {}
    for split, part in examples.groupby("split", sort=True):
        entities = pd.Index(sorted(part["entity"].unique()))
        n = len(entities)
        drawn = rng.multinomial(n, np.full(n, 1 / n), size=replicates)
        weights[str(split)] = entities, np.vstack([np.ones((1, n)), drawn])
    return weights


def draws_of(rows: pd.DataFrame, weights: EntityWeights) -> Draws:
    """The draws of the examples of one split; KeyError if an entity is not among those drawn."""
    if rows.empty:
        return Draws(np.ones((len(next(iter(weights.values()))[1]), 0)), np.zeros(0, dtype=int))
    entities, drawn = weights[rows["split"].iloc[0]]
    cluster = entities.get_indexer(pd.Index(rows["entity"]))
    if (cluster < 0).any():
        raise KeyError(f"entities that were not drawn: {sorted(set(rows['entity'][cluster < 0]))}")
    return Draws(drawn, cluster)


def picks(count: int, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Which of `count` oracles or seeds each replicate uses, with replacement: (replicates + 1,
    count) indices.
    """
    drawn = rng.integers(0, count, size=(replicates, count))
    return np.vstack([np.arange(count)[None], drawn])


def mean_of_picks(values: np.ndarray, picked: np.ndarray) -> np.ndarray:
    """Mean over the chosen rows of (count, B) values for each replicate: (B,)."""
    columns = np.arange(values.shape[1])[:, None]
    return values[picked, columns].mean(axis=1)


def interval(replicated: np.ndarray) -> tuple[float, float]:
    """Percentile interval of the drawn replicates, widened to contain the plain estimate in row 0.

    Draws on which the quantity is undefined are dropped; NaN if the plain estimate or every draw is
    undefined.

    Near the ends of a clipped scale, resampling only moves values inwards (a retrained model cannot
    recover more than 1), which would leave the plain estimate outside its own interval.
    """
    drawn = replicated[1:][~np.isnan(replicated[1:])]
    if np.isnan(replicated[0]) or len(drawn) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return min(float(low), float(replicated[0])), max(float(high), float(replicated[0]))
