"""Attacks as curves: what is known again on the way to the end of an attack, and how far towards
the target brings back half of what was forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmark.metrics.frames import ALL
from benchmark.metrics.stages import MODEL_STAGE, POINT, sort_of
from benchmark.statistics.axes import LEAST_GAP
from benchmark.statistics.bootstrap import mean_of_picks
from benchmark.statistics.scores import Key, Replicated
from benchmark.statistics.tables import spread as named_spread
from benchmark.statistics.trajectories import first_below, knowledge_metric, spread
from benchmark.statistics.variants import VariantScores, seed_picks

END, HALF = "end", "half is back at"
TO_TARGET = "interpolate"  # the attack whose points are shares of the way to the target

Place = tuple[str, str, str]
Row = dict[str, object]
Curve = dict[str, np.ndarray]  # knowledge at each point, in order, then at the end: (B,)


def curve_rows(place: Place, scores: VariantScores, names: Sequence[str]) -> Iterator[Row]:
    """A row per method or reference, attack and point with the knowledge of the forget set and the
    share of what was forgotten that is `back`, each with its interval; of interpolation also where
    half of it is: `HALF`.
    """
    metric = knowledge_metric(scores)
    where = dict(zip(("track", "task", "variant"), place, strict=True))
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
    """The curve of each attack that was scored at several points, by its name."""
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
    """The share of what a model forgot that is known again, (B,): 0 as much as after unlearning, 1
    as much as the target; NaN where it forgot nothing.
    """
    start, target = _ends(scores, name, metric)
    return (known - start) / np.where(target - start < LEAST_GAP, np.nan, target - start)


def half_back(scores: VariantScores, name: str, metric: str, curve: Curve) -> np.ndarray:
    """The smallest share of the way to the target's weights at which half of what the model forgot
    is known again, (B,); interpolated linearly between the points, and NaN where it forgot nothing.

    The curve's own end is left out: its share is a parameter of the attack.
    """
    start, target = _ends(scores, name, metric)
    shares = [0.0, *(float(point) for point in curve if point != END), 1.0]
    known = np.vstack([start, *(curve[point] for point in curve if point != END), target])
    half = first_below(-known, np.array(shares), -(start + target) / 2)
    return np.where(target - start < LEAST_GAP, np.nan, half)


def _known(scores: VariantScores, name: str, stage: str, metric: str) -> np.ndarray | None:
    """Knowledge at a stage, averaged over drawn seeds, (B,); None where it was not scored there."""
    runs, key = scores.values_of(name), (stage, "forget", metric, ALL)
    return _mean(runs, key, scores) if all(key in values for values in runs) else None


def _ends(scores: VariantScores, name: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Knowledge after unlearning and that of the targets of the same runs, (B,) each."""
    key = (MODEL_STAGE, "forget", metric, ALL)
    return _mean(scores.values_of(name), key, scores), _mean(scores.targets_of(name), key, scores)


def _mean(models: Sequence[Replicated], key: Key, scores: VariantScores) -> np.ndarray:
    """Averaged over drawn seeds, (B,)."""
    drawn = seed_picks(len(models), scores.replicates)
    return mean_of_picks(np.vstack([values[key] for values in models]), drawn)
