"""Fixtures: synthetic example frames with metrics set directly, and boards of them in the form that
`standings` takes.
"""

import json

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics import METRICS

FORGETTING = ("paraphrased_probability", "truth_ratio", "exact_answer")
UTILITY = ("probability", "rouge_l_recall", "truth_ratio_utility")


def _halves(i):
    """Strata of the i-th example: frequency is high for every second person."""
    return {"frequency": "high" if i % 4 < 2 else "low"}


def _frame(columns, per_entity, strata):
    """A frame from {(stage, split): {metric: values}}; `per_entity` consecutive examples share an
    entity.
    """
    parts = []
    for (stage, split), metrics in columns.items():
        count = len(next(iter(metrics.values())))
        rows = {
            "stage": stage,
            "split": split,
            "example": [f"{split}-{i}" for i in range(count)],
            "entity": [f"{split}-person-{i // per_entity:03}" for i in range(count)],
            "form": "name",
            "features": "whole",
            "strata": [json.dumps(strata(i)) for i in range(count)],
        }
        parts.append(pd.DataFrame(rows | metrics))
    names = ["stage", "split", "example", "entity", "form", "features", "strata", *METRICS]
    return pd.concat(parts, ignore_index=True).reindex(columns=names)


def _model(forget, retain=0.9, attacked=0.05, seed=0, noise=0.04, count=24, strata=_halves):
    """Frame of a model that knows its forget and retain examples at about these levels, with some
    noise per example.
    """
    rng = np.random.default_rng(seed)

    def around(level):
        return np.clip(level + noise * rng.standard_normal(count), 0, 1)

    own = around(forget)
    return _frame(
        {
            ("model", "forget"): dict.fromkeys(FORGETTING, own)
            | {"probability": own, "mia_loss": around(forget)},
            ("model", "retain"): dict.fromkeys(UTILITY, around(retain)),
            ("model", "holdout"): {"mia_loss": np.linspace(0, 0.6, count)},
            ("quantize", "forget"): dict.fromkeys(FORGETTING, np.clip(own + attacked, 0, 1)),
        },
        per_entity=2,
        strata=strata,
    )


def _board(methods, variant="low", track="toy", anchors=(), strata=_halves, guardrails=()):
    """(index, frames) of a variant with a target, two oracles and {method: [a frame per seed]}."""
    runs = [("target", 0, _model(0.9, seed=100, strata=strata))]
    runs += [("oracle", s, _model(0.2, seed=100 + s, strata=strata)) for s in (1, 2)]
    runs += [
        (method, seed, frame) for method, own in methods.items() for seed, frame in enumerate(own)
    ]
    rows = [
        {
            "id": f"{track}-{variant}-{method}-{seed}",
            "role": method if method in ("target", "oracle") else "method",
            "track": track,
            "task": "towns",
            "variant": variant,
            "method": method,
            "seed": seed,
            "target": f"{track}-{variant}-target-0",
            "budget_steps": 60,
            "anchor": method in ("target", "oracle", *anchors),
            "division": "guardrail" if method in guardrails else "weights",
        }
        for method, seed, _ in runs
    ]
    return pd.DataFrame(rows), {
        row["id"]: frame for row, (_, _, frame) in zip(rows, runs, strict=True)
    }


def _join(*boards):
    """(index, frames) of several variants as one results folder."""
    return pd.concat([index for index, _ in boards], ignore_index=True), {
        record_id: frame for _, frames in boards for record_id, frame in frames.items()
    }


@pytest.fixture(scope="session")
def model_frame():
    return _model


@pytest.fixture(scope="session")
def make_board():
    return _board


@pytest.fixture(scope="session")
def join_boards():
    return _join
