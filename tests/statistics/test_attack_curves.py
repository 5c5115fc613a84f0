"""Curves of attacks and the way to the target that brings back half, against values by hand."""

import math

import numpy as np
import pytest

from benchmark.statistics.attack_curves import END, HALF, curve_rows
from benchmark.statistics.variants import Run, VariantScores

PLACE = ("toy", "towns", "low")
METRIC = "paraphrased_probability"
REPLICATES = 4


def knows(**stages):
    """The plain value and as many replicates that all say the same, by stage."""
    return {
        (stage, "forget", METRIC, "all"): np.full(REPLICATES + 1, float(value))
        for stage, value in stages.items()
    }


def rows_of(*seeds, target=1.0):
    """The rows of one method with so many seeds."""
    runs = {seed: Run(values, scored=None, sizes={}) for seed, values in enumerate(seeds)}
    scores = VariantScores(
        {"shift": runs}, knows(model=target), knows(model=0), set(), {}, REPLICATES, 1
    )
    found = list(curve_rows(PLACE, scores, ["shift"]))
    return {(row["attack"], row["point"]): row["value"] for row in found}


def interpolated(model, first, second, third, end=0.2):
    points = {"interpolate 0.10": first, "interpolate 0.40": second, "interpolate 0.70": third}
    return knows(**{"model": model, "interpolate": end, **points})


def test_half_is_back_between_the_points_around_it():
    """Known at .4 and .7 of the way: .3 and .9; a half at .4 + .3 (.5 - .3)/(.9 - .3)."""
    found = rows_of(interpolated(0, 0.1, 0.3, 0.9))
    assert found == {
        ("interpolate", "0.10"): pytest.approx(0.1),
        ("interpolate", "0.40"): pytest.approx(0.3),
        ("interpolate", "0.70"): pytest.approx(0.9),
        ("interpolate", END): pytest.approx(0.2),
        ("interpolate", HALF): pytest.approx(0.5),
    }


@pytest.mark.parametrize(
    ("curve", "half"),
    [
        ((0.2, 0.6, 0.6, 0.6), 0.1),  # half of what was forgotten: from .2 to 1, that is .6
        ((0, 0.1, 0.2, 0.3), 0.7 + 0.3 * 0.2 / 0.7),  # the target itself is the last point
        ((0, 1, 0.2, 0.9), 0.05),  # the smallest share counts, though the curve falls again
    ],
)
def test_half_is_of_what_this_model_forgot(curve, half):
    assert rows_of(interpolated(*curve))["interpolate", HALF] == pytest.approx(half)


def test_what_forgot_nothing_has_no_half():
    assert ("interpolate", HALF) not in rows_of(interpolated(0.97, 1, 1, 1))


def test_seeds_are_averaged_before_the_half_is_sought():
    found = rows_of(interpolated(0, 0, 0.2, 1), interpolated(0, 0, 0.4, 0.8))
    assert found["interpolate", "0.40"] == pytest.approx(0.3)
    assert found["interpolate", HALF] == pytest.approx(0.5)


def test_each_attack_with_points_has_a_curve_in_order_and_others_none():
    points = {"relearn_disjoint 010": 0.4, "relearn_disjoint 005": 0.2, "relearn_disjoint": 0.6}
    found = rows_of(knows(model=0, noise=0.1, **points))
    assert list(found) == [("relearn_disjoint", p) for p in ("005", "010", END)]


def test_a_point_that_one_seed_lacks_is_left_out():
    whole = {"relearn_disjoint 005": 0.2, "relearn_disjoint": 0.6}
    found = rows_of(knows(model=0, **whole), knows(model=0, relearn_disjoint=0.5))
    assert not found


def test_the_share_that_is_back_is_of_what_this_model_forgot():
    """From .2 to 1: at .4 a quarter is back, at .1 even more is gone."""
    points = {"relearn_disjoint 005": 0.1, "relearn_disjoint 010": 0.4, "relearn_disjoint": 1}
    runs = {0: Run(knows(model=0.2, **points), scored=None, sizes={})}
    scores = VariantScores({"a": runs}, knows(model=1), knows(model=0), set(), {}, REPLICATES, 1)
    rows = list(curve_rows(PLACE, scores, ["a"]))
    assert [row["back"] for row in rows] == pytest.approx([-0.125, 0.25, 1])
    assert all(row["back_low"] <= row["back"] <= row["back_high"] for row in rows)
    nothing = {0: Run(knows(model=0.96, **points), scored=None, sizes={})}
    kept = VariantScores({"a": nothing}, knows(model=1), knows(model=0), set(), {}, REPLICATES, 1)
    assert all(math.isnan(row["back"]) for row in curve_rows(PLACE, kept, ["a"]))


def test_rows_have_intervals_and_their_place():
    runs = {0: Run(interpolated(0, 0.1, 0.3, 0.9), scored=None, sizes={})}
    scores = VariantScores({"a": runs}, knows(model=1), knows(model=0), set(), {}, REPLICATES, 1)
    for row in curve_rows(PLACE, scores, ["a"]):
        assert (row["track"], row["task"], row["variant"]) == PLACE
        assert row["low"] <= row["value"] <= row["high"]
        assert math.isfinite(row["value"])
