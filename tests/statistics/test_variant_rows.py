"""Rows of a variant: the attack that is named, and the mean beside the worst attack."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.statistics.tables import variant_rows


def row(**left):
    scores = SimpleNamespace(
        runs={"npo": {0: None}},
        quantity=lambda method, name: np.array([0.5, 0.4, 0.6]),
        left_after=lambda method: left,
    )
    [found] = variant_rows(("track", "task", "all"), scores)
    return found["worst_attack"], found["mean_over_attacks"]


def test_the_attack_that_leaves_least_is_named_beside_the_mean():
    assert row(quantize=0.8, relearn=0.4) == ("relearn", pytest.approx(0.6))


def test_none_of_several_that_leave_as_little_is_named():
    assert row(quantize=0.01, relearn=0.01, prune=0.4) == ("", pytest.approx(0.14))


def test_none_is_named_where_one_has_no_value_or_there_are_none():
    for left in ({}, {"quantize": 0.8, "relearn": math.nan}, {"relearn": math.nan, "prune": 0.1}):
        name, mean = row(**left)
        assert name == ""
        assert math.isnan(mean)
