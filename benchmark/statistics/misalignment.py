"""Probability against generation: whether a model's probabilities and its generations agree on what
it still knows.

Krishnan et al. 2025, section 5. For each forgotten example, knowledge by probability is its
paraphrased probability, scaled from the oracles' (0) to the target's (1), and knowledge by
generation is the share of held-out wordings answered correctly. Only examples that are likelier
under the target than under the oracles are used, and none where probabilities are uninformative as
a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from benchmark.metrics.frames import strata_masks
from benchmark.metrics.stages import MODEL_STAGE
from benchmark.statistics.bootstrap import SEED, draws_of, entity_weights, interval, mean_of_picks
from benchmark.statistics.scores import informative
from benchmark.statistics.tables import Place, where_of
from benchmark.statistics.variants import seed_picks

PROBABILITY, GENERATION = "paraphrased_probability", "exact_answer"
FORGOTTEN, KNOWN = 0.2, 0.8  # below the first by one, above the second by the other: they disagree
LEAST_GAP = 0.01  # in probability between target and oracles: a smaller gap cannot be scaled
QUANTITIES = ("gap", "correlation", "disagreement")


def misalignment_rows(
    place: Place, index: pd.DataFrame, examples: Mapping[str, pd.DataFrame], replicates: int
) -> Iterator[dict[str, object]]:
    """A row per method, stratum and quantity with its interval over entities and seeds.

    `gap` is the mean of knowledge by generation minus knowledge by probability, `correlation` their
    rank correlation, and `disagreement` the share of examples that count as forgotten by one and as
    known by the other.
    """
    targets = {i: _forget(examples[i]) for i in index.loc[index["role"] == "target", "id"]}
    oracles = [
        _forget(examples[i])[PROBABILITY] for i in index.loc[index["role"] == "oracle", "id"]
    ]
    usable = _usable(list(targets.values()), oracles)
    if usable.empty:
        return
    low = pd.concat(oracles, axis=1).mean(axis=1)
    drawn = entity_weights(usable, replicates, np.random.default_rng(SEED))
    weights = draws_of(usable, drawn).each()
    where = where_of(place)
    for method, runs in index[index["role"] == "method"].groupby("method", sort=True):
        known = [
            _knowledge(_forget(examples[i]).loc[usable.index], low, targets[of][PROBABILITY])
            for i, of in runs.sort_values("seed")[["id", "target"]].itertuples(index=False)
        ]
        for stratum, mask in strata_masks(usable).items():
            quantities = [_quantities(kp[mask], kg[mask], weights[:, mask]) for kp, kg in known]
            for name in QUANTITIES:
                values = np.vstack([run[name] for run in quantities])
                mean = mean_of_picks(values, seed_picks(len(quantities), replicates))
                (lower, upper), value = interval(mean), float(mean[0])
                row = {"method": method, "stratum": stratum, "quantity": name}
                ends = {"value": value, "low": lower, "high": upper, "n": int(mask.sum())}
                yield {**where, **row, **ends}


def _usable(targets: Sequence[pd.DataFrame], oracles: Sequence[pd.Series]) -> pd.DataFrame:
    """The examples that are likelier under every target than under the oracles, by more than
    LEAST_GAP; none if probabilities are uninformative as a whole.
    """
    first, low = targets[0], pd.concat(oracles, axis=1).mean(axis=1)
    levels = np.array([oracle.mean() for oracle in oracles])
    for target in targets:
        said = target[[PROBABILITY, GENERATION]].notna().any(axis=None)
        if not (said and informative(target[PROBABILITY].mean(), levels)):
            return first.iloc[:0]
    gaps = pd.concat([target[PROBABILITY] - low for target in targets], axis=1)
    return first[(gaps.min(axis=1) > LEAST_GAP).reindex(first.index)]


def _forget(frame: pd.DataFrame) -> pd.DataFrame:
    """The final model's forget examples, indexed by example."""
    forget = (frame["stage"] == MODEL_STAGE) & (frame["split"] == "forget")
    rows = frame.loc[forget, ["split", "example", "entity", "strata", PROBABILITY, GENERATION]]
    return rows.set_index("example", drop=False)


def _knowledge(
    frame: pd.DataFrame, low: pd.Series, high: pd.Series
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) knowledge by probability, and (n,) knowledge by generation."""
    scaled = (frame[PROBABILITY] - low.loc[frame.index]) / (high - low).loc[frame.index]
    return scaled.clip(0, 1).to_numpy(dtype=float), frame[GENERATION].to_numpy(dtype=float)


def _quantities(kp: np.ndarray, kg: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Each quantity, (B,), of (n,) knowledge under (B, n) weights; failed examples are left out."""
    scored = ~(np.isnan(kp) | np.isnan(kg))
    kp, kg, weights = kp[scored], kg[scored], weights[:, scored]
    apart = ((kp < FORGOTTEN) & (kg > KNOWN)) | ((kg < FORGOTTEN) & (kp > KNOWN))
    return {
        "gap": _mean(kg - kp, weights),
        "correlation": _correlation(
            pd.Series(kp).rank().to_numpy(), pd.Series(kg).rank().to_numpy(), weights
        ),
        "disagreement": _mean(apart.astype(float), weights),
    }


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return (weights @ values) / weights.sum(1)


def _correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted correlation of ranks that are not recomputed per draw; NaN if one of them does not
    vary.
    """
    mean_x, mean_y = _mean(x, weights)[:, None], _mean(y, weights)[:, None]
    covariance = (weights * (x - mean_x) * (y - mean_y)).sum(1)
    spread = (weights * (x - mean_x) ** 2).sum(1) * (weights * (y - mean_y) ** 2).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 0, covariance / np.sqrt(spread), np.nan)
