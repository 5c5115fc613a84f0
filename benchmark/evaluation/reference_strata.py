"""Strata derived from the references: how well the target knows each example, and how hard it is
to guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmark.metrics.probability import mean_of
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import MODEL_STAGE

THIRDS = ("low", "mid", "high")
Strata = Mapping[str, dict[str, str]]


def difficulty_strata(target: Sequence[Sample], oracles: Sequence[Sequence[Sample]]) -> Strata:
    """`memorization` and `difficulty` of each forget example, as thirds of equal size; ties are
    broken by the order of the examples.

    Memorization is the mean log-probability under the target, difficulty the mean loss under the
    oracles.
    """
    known = _mean_logprobs([target])
    guessed = _mean_logprobs(oracles)
    memorization, difficulty = (
        _thirds(known),
        _thirds({example: -value for example, value in guessed.items()}),
    )
    return {e: {"memorization": memorization[e], "difficulty": difficulty[e]} for e in known}


def _mean_logprobs(models: Sequence[Sequence[Sample]]) -> dict[str, float]:
    """Each forget example's mean log-probability, averaged over models."""
    by_example: dict[str, list[float]] = {}
    for samples in models:
        for s in samples:
            if s.split == "forget" and s.stage == MODEL_STAGE:
                by_example.setdefault(s.example, []).append(mean_of(s.logprobs))
    return {example: float(np.mean(values)) for example, values in by_example.items()}


def _thirds(values: Mapping[str, float]) -> dict[str, str]:
    ordered = sorted(values, key=lambda example: values[example])
    return {example: THIRDS[3 * rank // len(ordered)] for rank, example in enumerate(ordered)}


def with_strata(samples: Sequence[Sample], strata: Strata) -> list[Sample]:
    """The samples, with these strata added to those of the forget split."""
    return [
        replace(s, strata=s.strata | strata.get(s.example, {})) if s.split == "forget" else s
        for s in samples
    ]


def strata_of(samples: Sequence[Sample]) -> Strata:
    """The strata of each forget example."""
    return {s.example: s.strata for s in samples if s.split == "forget"}
