"""Differences by which claims are tested, with intervals, from the tables of standings.

Axes and scores of two methods are compared by paired draws, as in the rankings, and trajectories by
tables of paired differences. All other differences combine two intervals by MOVER (Zou and Donner
2008) as if these were independent, which is conservative where shared draws correlate them
positively.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import permutations
from statistics import median
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy.stats import binom

from benchmark.metrics.frames import ALL
from benchmark.records.identity import ORACLE, TARGET
from benchmark.statistics.bootstrap import interval
from benchmark.statistics.draws import unpacked
from benchmark.statistics.ranking import Standings
from benchmark.statistics.tables import where_of
from benchmark.statistics.trajectories import EQUAL_LEVEL

PAIR = " against "  # joins the names of two compared methods in the name of an estimate

T = TypeVar("T")
Spread = tuple[float, float, float]  # value, low, high
Estimates = Iterator[tuple[str, Spread]]  # by the name of a method or of a pair of methods


def difference(one: Spread, other: Spread) -> Spread:
    """`one` minus `other`, with the MOVER interval."""
    value = one[0] - other[0]
    below = math.hypot(one[0] - one[1], other[2] - other[0])
    above = math.hypot(one[2] - one[0], other[0] - other[1])
    return value, value - below, value + above


def paired(one: np.ndarray, other: np.ndarray) -> Spread:
    """`one` minus `other`, both (replicates + 1,) on the same draws, with the interval of the
    differences.
    """
    apart = one - other
    return float(apart[0]), *interval(apart)


def drawn(standings: Standings, quantity: str, **place: str) -> dict[str, np.ndarray]:
    """An axis or the score by method, (replicates + 1,), averaged over the variants of a place that
    are informative about it.
    """
    rows = where(standings.draws, quantity=quantity, **place)
    if rows.empty:
        return {}
    return {
        str(method): np.mean([unpacked(text) for text in own], axis=0)
        for method, own in rows.groupby("method")["packed"]
    }


def median_over(values: Iterable[float]) -> Spread:
    """The median of estimates, some perhaps infinite, with the 95 % interval between two of them by
    the sign test (Thompson 1936). NaN estimates are left out; fewer than six have no interval, and
    the median of none is NaN.
    """
    told = sorted(value for value in map(float, values) if not math.isnan(value))
    if not told:
        return math.nan, math.nan, math.nan
    end = int(binom.ppf(0.025, len(told), 0.5))  # rank of the interval's ends, from either side
    low, high = (told[end - 1], told[-end]) if end else (math.nan, math.nan)
    return median(told), low, high


def where(frame: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """The rows with these values; all of a frame without rows, which may lack these columns."""
    for column, value in wanted.items():
        frame = frame[frame[column] == value] if len(frame) else frame
    return frame


def _spreads(rows: pd.DataFrame) -> dict[str, Spread]:
    """(value, low, high) by method; empty for an empty table."""
    if rows.empty:
        return {}
    columns = zip(rows["method"], rows["value"], rows["low"], rows["high"], strict=True)
    return {name: (value, low, high) for name, value, low, high in columns}


def _competitors(names: Iterable[str], standings: Standings) -> list[str]:
    """The names of competing methods: neither anchors nor references."""
    overall = standings.overall
    anchors = set(where(overall, anchor=True)["method"]) if len(overall) else set()
    return [name for name in names if name not in {*anchors, TARGET, ORACLE}]


def _of_competitors(spreads: Mapping[str, Spread], standings: Standings) -> Estimates:
    return ((name, spreads[name]) for name in _competitors(spreads, standings))


def _strata(standings: Standings, **wanted: str) -> dict[str, Spread]:
    return _spreads(where(standings.strata, **wanted))


def more_left(standings: Standings, track: str, task: str, metric: str) -> Estimates:
    """Residual knowledge on the variant `high` minus that on `low`, by one metric."""
    low, high = (
        _strata(standings, track=track, task=task, variant=variant, metric=metric, stratum=ALL)
        for variant in ("low", "high")
    )
    both = {name: difference(high[name], low[name]) for name in high if name in low}
    return _of_competitors(both, standings)


def by_stratum(
    standings: Standings, track: str, task: str, variant: str, metric: str, stratum: str
) -> Estimates:
    """Residual knowledge in the upper third of a stratum minus that in its lower third."""
    about = {"track": track, "task": task, "variant": variant, "metric": metric}
    low, high = (_strata(standings, **about, stratum=f"{stratum}={end}") for end in ("low", "high"))
    both = {name: difference(high[name], low[name]) for name in high if name in low}
    return _of_competitors(both, standings)


def misaligned(
    standings: Standings, track: str, task: str, variant: str, quantity: str = "gap"
) -> Estimates:
    """Knowledge by generation minus that by probability, or another quantity of misalignment."""
    about = {"track": track, "task": task, "variant": variant, "stratum": ALL}
    rows = where(standings.misalignment, **about, quantity=quantity)
    return _of_competitors(_spreads(rows), standings)


def grown(
    standings: Standings, track: str, task: str, smaller: str, variant: str, quantity: str
) -> Estimates:
    """A quantity of misalignment minus its value on the track of a smaller model."""
    large, small = (
        dict(misaligned(standings, name, task, variant, quantity)) for name in (track, smaller)
    )
    return ((name, difference(large[name], small[name])) for name in large if name in small)


def turned(
    standings: Standings, one: tuple[str, str, str], other: tuple[str, str, str]
) -> Estimates:
    """Score differences at the other (track, task, variant) between each method and the methods
    that it significantly outscores at the first.
    """
    here, there = (_competing(standings, place) for place in (one, other))
    both = sorted(here.keys() & there.keys())
    for first, second in permutations(both, 2):
        if paired(here[first], here[second])[1] > 0:
            yield f"{first}{PAIR}{second}", paired(there[first], there[second])


def _competing(standings: Standings, place: tuple[str, str, str]) -> dict[str, np.ndarray]:
    """The drawn scores of the competing methods."""
    about = where_of(place)
    scores = drawn(standings, "score", **about)
    return {name: scores[name] for name in _competitors(scores, standings)}


def out_less_in(
    standings: Standings, track: str, task: str, level: str, quantity: str
) -> Estimates:
    """A quantity of the trajectories on the variant `out` minus that on `in`."""
    about = {"track": track, "task": task, "level": level, "quantity": quantity}
    rows = where(standings.contrasts, **about)
    return _of_competitors(_spreads(where(rows, variant="out")), standings)


def better_than(
    standings: Standings,
    track: str,
    task: str,
    method: str,
    rivals: Iterable[str],
    quantity: str = "score",
    without: str = "",
) -> Estimates:
    """An axis or the score of a method's rows on a task, leaving out the row `without`, minus that
    of its rivals.
    """
    found = drawn(standings, quantity, track=track, task=task)
    own = [name for name in _rows_of(method, found) if name != without]
    yield from _against(found, own, rivals, paired)


def better_by_metric(
    standings: Standings, track: str, task: str, method: str, rivals: Iterable[str], metric: str
) -> Estimates:
    """A metric of a method minus that of its rivals, on a task with one variant."""
    spreads = _strata(standings, track=track, task=task, metric=metric, stratum=ALL)
    yield from _against(spreads, _rows_of(method, spreads), rivals, difference)


def _against(
    found: Mapping[str, T],
    rows: Iterable[str],
    rivals: Iterable[str],
    minus: Callable[[T, T], Spread],
) -> Estimates:
    """Each of these rows minus every row of a rival."""
    others = [name for rival in rivals for name in _rows_of(rival, found)]
    for own in rows:
        for other in others:
            yield f"{own}{PAIR}{other}", minus(found[own], found[other])


def _rows_of(method: str, names: Iterable[str]) -> list[str]:
    """The rows of a method under all its parameter settings."""
    return [name for name in names if name.partition(" (")[0] == method]


def above_the_oracle(
    standings: Standings, track: str, task: str, metric: str, without: Collection[str]
) -> Estimates:
    """A metric of each competing method that is not in `without`, minus that of the oracles."""
    spreads = _strata(standings, track=track, task=task, metric=metric, stratum=ALL)
    if ORACLE in spreads:
        for name in _competitors(spreads, standings):
            if name.partition(" (")[0] not in without:
                yield name, difference(spreads[name], spreads[ORACLE])


def against_ascent(
    standings: Standings, track: str, task: str, quantity: str, methods: Iterable[str]
) -> Estimates:
    """A quantity of the methods' final models minus that of `grad_ascent` at equal forgetting."""
    about = {"track": track, "task": task, "level": EQUAL_LEVEL, "quantity": quantity}
    spreads = _spreads(where(standings.rivals, **about))
    names = (name for method in methods for name in _rows_of(method, spreads))
    return ((name, spreads[name]) for name in names)
