"""Draws packed for the site."""

import numpy as np

from benchmark.statistics.draws import STEPS, packed, unpacked
from benchmark.statistics.ranking import rank_spread


def test_packed_values_come_back_to_within_half_a_step():
    values = np.array([0.0, 1.0, 0.5, np.nan, 1 / 3])
    back = unpacked(packed(values))
    assert np.isnan(back[3])
    np.testing.assert_allclose(back[~np.isnan(back)], values[~np.isnan(values)], atol=0.5 / STEPS)


def test_packed_bytes_are_those_that_a_browser_reads():
    assert packed(np.array([0.0, 1.0, np.nan])) == "AAD+////"  # 0000, feff, ffff


def test_ranks_that_never_change_have_no_spread():
    assert rank_spread([np.full(101, 0.9), np.full(101, 0.1)]) == [(1, 1), (2, 2)]


def test_ranks_of_equals_spread_over_both():
    first = np.tile([0.1, 0.2], 50)
    second = np.tile([0.2, 0.1], 50)
    assert rank_spread([first, second]) == [(1, 2), (1, 2)]


def test_ranks_ignore_draws_on_which_a_score_is_undefined():
    first = np.r_[0.5, np.full(50, np.nan), np.full(50, 0.9)]
    assert rank_spread([first, np.full(101, 0.6)]) == [(1, 1), (2, 2)]
