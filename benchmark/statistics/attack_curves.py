"""Attacks as curves: how much knowledge returns at each point of an attack, and how far towards the
target's weights half of the forgotten knowledge is back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmark.metrics.frames import ALL
from benchmark.metrics.stages import MODEL_STAGE, POINT, sort_of
from benchmark.statistics.axes import LEAST_GAP
from benchmark.statistics.bootstrap import mean_of_picks
from benchmark.statistics.scores import Key, Replicated
from benchmark.statistics.tables import Place, Row, where_of
from benchmark.statistics.tables import spread as named_spread
from benchmark.statistics.trajectories import first_below, knowledge_metric, spread
from benchmark.statistics.variants import VariantScores, seed_picks

END, HALF = "end", "half is back at"
TO_TARGET = "interpolate"  # the attack whose points are shares of the way to the target's weights

Curve = dict[str, np.ndarray]  # (B,) knowledge at each point in order, then at the end


def curve_rows(place: Place, scores: VariantScores, names: Sequence[str]) -> Iterator[Row]:
    """A row per method or reference, attack and point with the knowledge of the forget set and the
    share of the forgotten knowledge that is `back`, each with its interval. Interpolation has an
    additional point `HALF`: the share of the way at which half of it is back.
    """
    metric = knowledge_metric(scores)
    where = where_of(place)
    for name in names if metric else ():
        assert metric is not None
        for attack, curve in curves_of(scores, name, metric).items():
            who = where | {"method": name, "attack": attack}
            for point, known in curve.items():
                shares = back(scores, name, metric, known)
                yield who | {"point": point} | spread(known) | named_spread("back", shares)
            if attack == TO_TARGET:
                half = half_back(scores, name, metric, curve)
                if np.isfinite(half[0]):
                    nothing = named_spread("back", np.full_like(half, np.nan))
                    yield who | {"point": HALF} | spread(half) | nothing


def curves_of(scores: VariantScores, name: str, metric: str) -> dict[str, Curve]:
    """Curves by attack name, for the attacks that were scored at several points."""
    stages = sorted({key[0] for key in scores.values_of(name)[0] if sort_of(key[0]) == POINT})
    curves: dict[str, Curve] = {}
    for stage in stages:
        attack, _, point = stage.partition(" ")
        known = _known(scores, name, stage, metric)
        if known is not None:
            curves.setdefault(attack, {})[point] = known
    for attack, curve in curves.items():
        end = _known(scores, name, attack, metric)
        if end is not None:
            curve[END] = end
    return curves


def back(scores: VariantScores, name: str, metric: str, known: np.ndarray) -> np.ndarray:
    """(B,) share of what a model forgot that it knows again: 0 at its knowledge after unlearning, 1
    at the target's; NaN where it forgot less than LEAST_GAP.
    """
    start, target = _ends(scores, name, metric)
    return (known - start) / np.where(target - start < LEAST_GAP, np.nan, target - start)


def half_back(scores: VariantScores, name: str, metric: str, curve: Curve) -> np.ndarray:
    """(B,) smallest share of the way to the target's weights at which a model again knows half of
    what it forgot, interpolated linearly between points; NaN where it forgot less than LEAST_GAP.

    The end of the curve is left out: its share of the way is a parameter of the attack.
    """
    start, target = _ends(scores, name, metric)
    shares = [0.0, *(float(point) for point in curve if point != END), 1.0]
    known = np.vstack([start, *(curve[point] for point in curve if point != END), target])
    half = first_below(-known, np.array(shares), -(start + target) / 2)
    return np.where(target - start < LEAST_GAP, np.nan, half)


def _known(scores: VariantScores, name: str, stage: str, metric: str) -> np.ndarray | None:
    """(B,) knowledge at a stage, averaged over drawn seeds; None if a run was not scored there."""
    runs, key = scores.values_of(name), (stage, "forget", metric, ALL)
    return _mean(runs, key, scores) if all(key in values for values in runs) else None


def _ends(scores: VariantScores, name: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(B,) knowledge after unlearning, and (B,) knowledge of the targets of the same runs."""
    key = (MODEL_STAGE, "forget", metric, ALL)
    return _mean(scores.values_of(name), key, scores), _mean(scores.targets_of(name), key, scores)


def _mean(models: Sequence[Replicated], key: Key, scores: VariantScores) -> np.ndarray:
    """(B,) values of a key, averaged over drawn seeds."""
    drawn = seed_picks(len(models), scores.replicates)
    return mean_of_picks(np.vstack([values[key] for values in models]), drawn)
