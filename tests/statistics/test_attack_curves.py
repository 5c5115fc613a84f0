"""Attack curves and the share of the way to the target that restores half, worked out by hand."""

import math

import numpy as np
import pytest

from benchmark.statistics.attack_curves import END, HALF, curve_rows
from benchmark.statistics.variants import Run, VariantScores

PLACE = ("toy", "towns", "low")
METRIC = "paraphrased_probability"
REPLICATES = 4


def knows(**stages):
    """Values by stage, each the plain value with identical replicates."""
    return {
        (stage, "forget", METRIC, "all"): np.full(REPLICATES + 1, float(value))
        for stage, value in stages.items()
    }


def board(*seeds, targets=(1.0,)):
    """One method with these seeds, each started from its own target or all from the same one."""
    told = {f"t{number}": knows(model=target) for number, target in enumerate(targets)}
    from_each = [*told.values()] * (len(seeds) // len(told))
    runs = {
        seed: Run(values, target, scored=None, sizes={})
        for seed, (values, target) in enumerate(zip(seeds, from_each, strict=True))
    }
    return VariantScores({"shift": runs}, told, knows(model=0), set(), {}, REPLICATES, 1)


def rows_of(*seeds):
    found = list(curve_rows(PLACE, board(*seeds), ["shift"]))
    return {(row["attack"], row["point"]): row["value"] for row in found}


def interpolated(model, first, second, third, end=0.2):
    points = {"interpolate 0.10": first, "interpolate 0.40": second, "interpolate 0.70": third}
    return knows(**{"model": model, "interpolate": end, **points})


def test_half_is_back_between_the_points_around_it():
    """Knowledge is .3 at .4 of the way and .9 at .7, so half is back at .4 + .3 (.5 - .3)/(.9 -
    .3).
    """
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
        ((0.2, 0.6, 0.6, 0.6), 0.1),  # half of what was forgotten, from 1 to .2, is .6
        ((0, 0.1, 0.2, 0.3), 0.7 + 0.3 * 0.2 / 0.7),  # the target itself is the last point
        ((0, 1, 0.2, 0.9), 0.05),  # the smallest share counts, even if the curve falls again
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
    """The model forgot from 1 to .2: at .4 a quarter is back, at .1 even more is gone."""
    points = {"relearn_disjoint 005": 0.1, "relearn_disjoint 010": 0.4, "relearn_disjoint": 1}
    rows = list(curve_rows(PLACE, board(knows(model=0.2, **points)), ["shift"]))
    assert [row["back"] for row in rows] == pytest.approx([-0.125, 0.25, 1])
    assert all(row["back_low"] <= row["back"] <= row["back_high"] for row in rows)
    kept = board(knows(model=0.96, **points))
    assert all(math.isnan(row["back"]) for row in curve_rows(PLACE, kept, ["shift"]))


def test_each_seed_goes_back_to_its_own_target():
    """The seeds forgot 1 - 0 and .6 - .2 and regained .5 and .1 of it: .3 / .7 on average, in every
    draw of both seeds.
    """
    ends = [knows(model=0, relearn_disjoint=0.5, **{"relearn_disjoint 005": 0.5}),
            knows(model=0.2, relearn_disjoint=0.3, **{"relearn_disjoint 005": 0.3})]  # fmt: skip
    rows = list(curve_rows(PLACE, board(*ends, targets=(1.0, 0.6)), ["shift"]))
    assert [row["back"] for row in rows] == pytest.approx([0.3 / 0.7, 0.3 / 0.7])


def test_rows_have_intervals_and_their_place():
    for row in curve_rows(PLACE, board(interpolated(0, 0.1, 0.3, 0.9)), ["shift"]):
        assert (row["track"], row["task"], row["variant"]) == PLACE
        assert row["low"] <= row["value"] <= row["high"]
        assert math.isfinite(row["value"])
