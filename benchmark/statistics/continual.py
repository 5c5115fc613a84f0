"""Continual unlearning: utility and knowledge after each of several sequential requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from benchmark.metrics.base import METRICS
from benchmark.metrics.frames import ALL
from benchmark.metrics.stages import MODEL_STAGE, REQUEST, request_of, request_stage
from benchmark.statistics.axes import axis_of
from benchmark.statistics.bootstrap import interval, mean_of_picks
from benchmark.statistics.scores import Replicated, floored_harmonic_mean, retention
from benchmark.statistics.tables import Place, Row, where_of
from benchmark.statistics.variants import VariantScores, seed_picks

KNOWLEDGE = "paraphrased_probability"
UTILITY_SPLITS = ("retain", "general")  # the splits that are scored after every request


def count(scores: VariantScores) -> int:
    """The number of requests of the variant; 1 if it is not continual."""
    models = [
        scores.oracle,
        *(run.values for runs in scores.runs.values() for run in runs.values()),
    ]
    stages = {key[0] for values in models for key in values}
    return 1 + max((n for n in map(request_of, stages) if n is not None), default=0)


def _groups(request: int, last: int) -> dict[str, range]:
    """The current, earlier and later requests relative to one of them, without empty groups."""
    groups = {
        "current": range(request, request + 1),
        "earlier": range(1, request),
        "later": range(request + 1, last + 1),
    }
    return {name: steps for name, steps in groups.items() if steps}


def after_request(
    values: Replicated, target: Replicated, request: int, last: int
) -> Mapping[str, np.ndarray]:
    """Utility, and knowledge of people in the current, earlier and later requests, each (B,)."""
    stage = (
        MODEL_STAGE
        if request == last or not _has(values, request_stage(request))
        else request_stage(request)
    )
    retained = [
        retention(values[key], target[(MODEL_STAGE, *key[1:])])
        for key in values
        if key[0] == stage
        and key[1] in UTILITY_SPLITS
        and key[3] == ALL
        and REQUEST in METRICS[key[2]].on_the_way
        and axis_of(key[2], key[1]) == "utility"
    ]
    quantities = {"utility": floored_harmonic_mean(retained, len(next(iter(values.values()))))}
    for name, steps in _groups(request, last).items():
        quantities[name] = _mean_of_drawn(
            [values[(stage, "forget", KNOWLEDGE, f"step={step}")] for step in steps]
        )
    return quantities


def _mean_of_drawn(steps: list[np.ndarray]) -> np.ndarray:
    """(B,) mean over requests; a replicate leaves out requests from which it drew no people."""
    stacked = np.vstack(steps)
    drawn = ~np.isnan(stacked)
    with np.errstate(invalid="ignore"):
        return np.where(drawn, stacked, 0).sum(0) / drawn.sum(0)


def _has(values: Replicated, stage: str) -> bool:
    return any(key[0] == stage for key in values)


def request_rows(place: Place, scores: VariantScores, names: Iterable[str]) -> Iterator[Row]:
    """A row per method or reference, request and quantity with its interval; no rows for variants
    with a single request.
    """
    last = count(scores)
    if last == 1:
        return
    where = where_of(place)
    for method in names:
        runs = scores.values_of(method)
        drawn = seed_picks(len(runs), scores.replicates)
        for request in range(1, last + 1):
            seeds = [
                after_request(values, target, request, last)
                for values, target in zip(runs, scores.targets_of(method), strict=True)
            ]
            for quantity in seeds[0]:
                replicated = mean_of_picks(np.vstack([values[quantity] for values in seeds]), drawn)
                low, high = interval(replicated)
                numbers = {"value": float(replicated[0]), "low": low, "high": high}
                yield where | {"method": method, "request": request, "quantity": quantity} | numbers
