"""Scores under few attacks compared with scores under all attacks, by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmark.models.tracks import track_named
from benchmark.pipeline.suite import load_suite
from benchmark.statistics.light_evaluation import (
    ALL_ATTACKS,
    LIGHT,
    evaluation_rows,
    light_agreement,
)
from benchmark.statistics.scores import Scored
from benchmark.statistics.variants import Run, VariantScores

PLACE = ("toy", "towns", "low")
SEEN = ("model", "forget", "paraphrased_probability", "all")
AFTER = {name: (name, "forget", "paraphrased_probability", "all") for name in LIGHT["suite cpu"]}
KEPT = ("model", "retain", "probability", "all")


def run(forgetting, utility, **attacks):
    """A run on a variant without privacy."""
    axes = {"forgetting": forgetting, "utility": utility, "privacy": float("nan")}
    arrays = {name: np.array([value, 0.0]) for name, value in axes.items()}
    left = {name: np.array([value, 0.0]) for name, value in attacks.items()}
    return Run({}, {}, Scored({}, arrays, left, np.zeros(2)), {})


def values(*runs):
    usable = {SEEN, KEPT, *AFTER.values()}
    by_seed = dict(enumerate(runs))
    scores = VariantScores({"m": by_seed}, {"t": {}}, {}, usable, {}, 1)
    return {row["evaluation"]: row["value"] for row in evaluation_rows(PLACE, scores)}


BOARD = {"quantize_int4_g64": 0.5, "relearn_disjoint": 0.4, "prefix": 0.8, "in_context": 0.25}


def harmonic(*values):
    return len(values) / sum(1 / value for value in values)


def test_the_worst_of_the_named_attacks_counts():
    found = values(run(0.8, 0.5, **BOARD, noise=0.1))
    assert found == {
        "no attack": pytest.approx(harmonic(0.8, 0.5)),
        "on weights": pytest.approx(harmonic(0.8, 0.5, 0.4)),
        "by asking": pytest.approx(harmonic(0.8, 0.5, 0.25)),
        "suite cpu": pytest.approx(harmonic(0.8, 0.5, 0.25)),
        ALL_ATTACKS: pytest.approx(harmonic(0.8, 0.5, 0.1)),
    }


def test_seeds_are_averaged():
    other = dict.fromkeys(BOARD, 1.0)
    found = values(run(0.8, 0.5, **BOARD, noise=0.1), run(1.0, 1.0, **other, noise=1.0))
    assert found["no attack"] == pytest.approx((harmonic(0.8, 0.5) + 1) / 2)
    assert found[ALL_ATTACKS] == pytest.approx((harmonic(0.8, 0.5, 0.1) + 1) / 2)


def test_without_further_attacks_there_is_nothing_to_compare():
    assert not values(run(0.8, 0.5, **BOARD))


def test_tau_of_each_light_evaluation_with_all_attacks():
    """Of six pairs of methods, suite cpu orders one unlike the board, and `no attack` all six."""
    ranks = {ALL_ATTACKS: (1, 2, 3, 4), "suite cpu": (1, 3, 2, 4), "no attack": (4, 3, 2, 1)}
    where = dict(zip(("track", "task", "variant"), PLACE, strict=True))
    rows = pd.DataFrame(
        where | {"method": f"m{i}", "evaluation": name, "value": value / 4}
        for name in ("no attack", "suite cpu", ALL_ATTACKS)
        for i, value in enumerate(ranks[name])
    )
    found = light_agreement(rows).set_index("one")
    assert found["tau"].to_dict() == {"no attack": -1.0, "suite cpu": pytest.approx(4 / 6)}
    assert (found["low"] <= found["tau"]).all()
    assert (found["tau"] <= found["high"]).all()
    assert set(found["methods"]) == {4}


def test_trials_are_scored_under_the_attacks_of_the_board():
    assert set(LIGHT["suite cpu"]) == set(load_suite("cpu").attacks)
    assert set(LIGHT["suite cpu"]) == set(track_named("controlled-1m").trials.attacks)
    assert set(LIGHT["suite cpu"]) < set(load_suite("attacks").attacks)
