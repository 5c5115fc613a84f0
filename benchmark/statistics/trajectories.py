"""Trajectories: how knowledge and utility fall while a method spends its budget, and the cost at
equal forgetting.

The point where a trajectory reaches a level is interpolated linearly between measured points. With
several seeds the curve is the mean over (drawn) seeds; replicates draw entities and seeds, while
the levels stay fixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from benchmark.metrics.base import METRICS
from benchmark.metrics.frames import ALL
from benchmark.metrics.stages import BUDGET, MODEL_STAGE, budget_stage, fraction_of
from benchmark.statistics.axes import axis_of
from benchmark.statistics.bootstrap import LEVEL, interval, mean_of_picks
from benchmark.statistics.scores import Replicated, floored_harmonic_mean, retention
from benchmark.statistics.tables import Place, Row, where_of
from benchmark.statistics.variants import VariantScores, seed_picks

KNOWLEDGE = ("paraphrased_probability", "memorization_accuracy")  # for questions, for texts
UTILITY, STEPS, LOST, AREA = "utility", "steps", "utility lost", "area"
ORACLE_LEVEL, SHARE_LEVEL = "oracles' interval", "90 % of the way"
EQUAL_LEVEL = "equal forgetting"  # the level of a method's final model
END = "1"  # the whole budget, as a share
SHARE = 0.9
BASELINE = "grad_ascent"  # the simplest method, with which the others are compared
GRID = np.linspace(0, 1, 21)  # levels of forgetting over which the area is integrated

Curves = dict[str, np.ndarray]  # (points, B) by quantity
Spent = dict[tuple[str, str], np.ndarray]  # (B,) outcomes of a trajectory, by (level, quantity)


def knowledge_metric(scores: VariantScores) -> str | None:
    """The metric whose trajectory is followed; None if the variant has none."""
    return next((m for m in KNOWLEDGE if (MODEL_STAGE, "forget", m, ALL) in scores.target), None)


def fractions(scores: VariantScores, method: str) -> list[float]:
    """Shares of the budget at which the method was evaluated on the way; empty for a method that
    takes no steps.
    """
    stages = {key[0] for run in scores.runs[method].values() for key in run.values}
    return sorted(f for f in map(fraction_of, stages) if f is not None)


def curves(scores: VariantScores, method: str) -> tuple[np.ndarray, Curves]:
    """(points,) shares of the budget from 0 (the targets) to 1 (the final models), and (points, B)
    values of each quantity there.

    A run that ended early keeps its final values.
    """
    points = fractions(scores, method)
    stages = [MODEL_STAGE, *map(budget_stage, points), MODEL_STAGE]
    drawn = seed_picks(len(scores.runs[method]), scores.replicates)
    targets = scores.targets_of(method)
    by_quantity: dict[str, list[np.ndarray]] = {}
    for number, stage in enumerate(stages):
        models = scores.values_of(method) if number else targets
        at_stage = [_at(*pair, stage) for pair in zip(models, targets, strict=True)]
        for name in at_stage[0]:
            values = mean_of_picks(np.vstack([quantities[name] for quantities in at_stage]), drawn)
            by_quantity.setdefault(name, []).append(values)
    return np.array([0.0, *points, 1.0]), {
        n: np.vstack(v) for n, v in by_quantity.items() if len(v) == len(stages)
    }


def _at(values: Replicated, target: Replicated, stage: str) -> dict[str, np.ndarray]:
    """Utility and forget-set values at a stage, or at the end if the run did not get that far."""
    names = [m.id for m in METRICS.values() if BUDGET in m.on_the_way]
    there = stage if any(key[0] == stage for key in values) else MODEL_STAGE
    keys = {name: (there, "forget", name, ALL) for name in names}
    forgetting = {name: values[key] for name, key in keys.items() if key in values}
    retained = [
        retention(values[key], target[(MODEL_STAGE, *key[1:])])
        for key in values
        if key[0] == there
        and key[1] == "retain"
        and key[3] == ALL
        and BUDGET in METRICS[key[2]].on_the_way
        and axis_of(key[2], "retain") == "utility"
    ]
    return forgetting | {UTILITY: floored_harmonic_mean(retained, len(next(iter(values.values()))))}


def first_below(curve: np.ndarray, shares: np.ndarray, level: float | np.ndarray) -> np.ndarray:
    """The share of the budget at which each column of a (points, B) curve first falls to the level;
    inf if never. The level is a single one, or one for each column.
    """
    below = curve <= level
    first = below.argmax(0)
    columns = np.arange(curve.shape[1])
    before = np.maximum(first - 1, 0)
    high, low = curve[before, columns], curve[first, columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(high > low, (high - level) / (high - low), 0.0)
    crossed = shares[before] + np.clip(part, 0, 1) * (shares[first] - shares[before])
    return np.where(below.any(0), crossed, np.inf)


def value_at(curve: np.ndarray, shares: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The value of each column of a (points, B) curve at its share of the budget in `where`; NaN
    where that is inf.
    """
    after = np.clip(
        np.searchsorted(shares, np.where(np.isfinite(where), where, 0)), 1, len(shares) - 1
    )
    columns = np.arange(curve.shape[1])
    part = (where - shares[after - 1]) / (shares[after] - shares[after - 1])
    with np.errstate(invalid="ignore"):
        value = curve[after - 1, columns] + part * (
            curve[after, columns] - curve[after - 1, columns]
        )
    return np.where(np.isfinite(where), value, np.nan)


def levels(scores: VariantScores, metric: str) -> dict[str, float]:
    """Levels of knowledge that count as forgotten: the upper end of the oracles' interval, and 90 %
    of the way from the target to the oracles' mean.
    """
    key = (MODEL_STAGE, "forget", metric, ALL)
    target, oracle = float(scores.target[key][0]), float(scores.oracle[key][0])
    return {
        ORACLE_LEVEL: interval(scores.oracle[key])[1],
        SHARE_LEVEL: target - SHARE * (target - oracle),
    }


def area(
    shares: np.ndarray, by_quantity: Curves, metric: str, target: float, oracle: float
) -> np.ndarray:
    """(B,) area under utility over forgetting: the utility when each share of the way to the
    oracles was first reached, 0 if never.

    1 for a method that forgets everything and loses nothing, near 0 (half a step of GRID) for one
    that forgets nothing.
    """
    goals = [target - share * (target - oracle) for share in GRID]
    reached = [first_below(by_quantity[metric], shares, goal) for goal in goals]
    utility = [value_at(by_quantity[UTILITY], shares, where) for where in reached]
    return np.trapezoid(np.nan_to_num(np.vstack(utility), nan=0.0), GRID, axis=0)


def spent_by(scores: VariantScores, method: str) -> Spent:
    """The outcomes of a method's trajectory; empty without a trajectory."""
    metric = knowledge_metric(scores)
    if metric is None or not fractions(scores, method):
        return {}
    shares, by_quantity = curves(scores, method)
    key = (MODEL_STAGE, "forget", metric, ALL)
    ends = float(scores.target[key][0]), float(scores.oracle[key][0])
    result = {("", AREA): area(shares, by_quantity, metric, *ends)}
    for name, level in levels(scores, metric).items():
        where = first_below(by_quantity[metric], shares, level)
        result[(name, STEPS)] = where * scores.budget_steps
        result[(name, LOST)] = 1 - value_at(by_quantity[UTILITY], shares, where)
        result |= {
            (name, m): value_at(curve, shares, where)
            for m, curve in by_quantity.items()
            if m not in (UTILITY, metric)
        }
    return result | _course(shares, by_quantity, whole=method == BASELINE)


def _course(shares: np.ndarray, by_quantity: Curves, whole: bool) -> Spent:
    """The final values, or all values if `whole`; the level is the share of the budget."""
    points = range(len(shares)) if whole else [len(shares) - 1]
    return {
        (f"{shares[point]:g}", quantity): curve[point]
        for quantity, curve in by_quantity.items()
        for point in points
    }


def spread(replicated: np.ndarray) -> Row:
    """value, low, high; an end is open (inf, -inf) if more than 2.5 % of the draws are infinite on
    its side.

    Draws without a value (NaN: a level is never reached) open both ends if there are more than
    that. If the value itself is NaN, so are both ends.
    """
    value, drawn = float(replicated[0]), replicated[1:]
    if np.isnan(value):
        return {"value": value, "low": float("nan"), "high": float("nan")}
    low = np.quantile(
        np.where(np.isnan(drawn), -np.inf, drawn), (1 - LEVEL) / 2, method="inverted_cdf"
    )
    high = np.quantile(
        np.where(np.isnan(drawn), np.inf, drawn), (1 + LEVEL) / 2, method="inverted_cdf"
    )
    return {"value": value, "low": min(float(low), value), "high": max(float(high), value)}


def trajectory_rows(place: Place, scores: VariantScores) -> Iterator[Row]:
    """A row per method, share of the budget and quantity, with its interval.

    A method that takes no steps has only a start and an end.
    """
    where = where_of(place)
    for method in sorted(scores.runs):
        shares, by_quantity = curves(scores, method)
        for quantity, values in by_quantity.items():
            for share, replicated in zip(shares, values, strict=True):
                low, high = interval(replicated)
                who = {"method": method, "quantity": quantity, "share": float(share)}
                yield where | who | {"value": float(replicated[0]), "low": low, "high": high}


def level_rows(place: Place, method: str, spent: Spent) -> Iterator[Row]:
    """A row per level and quantity of the outcomes of a trajectory, with its interval."""
    where = where_of(place) | {"method": method}
    named = ("", ORACLE_LEVEL, SHARE_LEVEL, EQUAL_LEVEL)
    for level, quantity in (key for key in spent if key[0] in named):
        replicated = spent[level, quantity]
        yield where | {"level": level, "quantity": quantity} | spread(replicated)


def rival_rows(place: Place, spent: Mapping[str, Spent]) -> Iterator[Row]:
    """Differences between the outcomes of each method's trajectory and the baseline's, on the same
    draws.
    """
    base = spent.get(BASELINE, {})
    others = sorted(name for name, own in spent.items() if own and name != BASELINE)
    for method in others if base else ():
        with np.errstate(invalid="ignore"):
            differences = {key: values - base[key] for key, values in spent[method].items()}
        equal = _at_equal_forgetting(base, spent[method])
        yield from level_rows(place, method, differences | equal)


def _at_equal_forgetting(base: Spent, own: Spent) -> Spent:
    """Values of a method's final model minus those of the baseline where it had first forgotten as
    much.
    """
    quantities = [quantity for level, quantity in base if level == END]
    metric = next(m for m in KNOWLEDGE if m in quantities)
    shares = [level for level, quantity in base if quantity == metric]
    points = np.array(shares, dtype=float)
    course = {q: np.vstack([base[share, q] for share in shares]) for q in quantities}
    where = first_below(course[metric], points, own[END, metric])
    common = [q for q in quantities if q != metric and (END, q) in own]
    more = {q: own[END, q] - value_at(course[q], points, where) for q in common}
    more[LOST] = -more.pop(UTILITY)
    return {(EQUAL_LEVEL, quantity): values for quantity, values in more.items()}


def _other_draws(replicated: np.ndarray) -> np.ndarray:
    """The same draws in another order: two variants forget different people, whose draws are
    unrelated.
    """
    return np.concatenate([replicated[:1], np.roll(replicated[1:], 1)])


def contrast_rows(spent: Mapping[Place, Mapping[str, Spent]]) -> Iterator[Row]:
    """Differences between two variants of a task in the outcomes of a method's trajectory."""
    for (place, methods), (other_place, other_methods) in combinations(sorted(spent.items()), 2):
        if place[:2] != other_place[:2]:
            continue
        where = {"track": place[0], "task": place[1], "variant": other_place[2], "minus": place[2]}
        for method in sorted(methods.keys() & other_methods.keys()):
            first, second = methods[method], other_methods[method]
            common = [k for k in second if k in first and k[1] in (STEPS, LOST, AREA)]
            for level, quantity in common:
                with np.errstate(invalid="ignore"):
                    difference = _other_draws(second[(level, quantity)]) - first[(level, quantity)]
                what = {"method": method, "level": level, "quantity": quantity}
                yield where | what | spread(difference)
