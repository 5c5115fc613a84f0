"""Faithfulness and robustness of metrics: against scikit-learn, against published formulas by hand,
and on pools that cannot be told apart.
"""

import numpy as np
import pytest
from scipy.stats import hmean
from sklearn.metrics import roc_auc_score

from benchmark.statistics.faithfulness import (
    Attacked,
    best_threshold,
    faithfulness,
    oriented,
    quantization_one_sided,
    quantization_symmetric,
    relearning_one_sided,
    relearning_symmetric,
    robustness,
)


def test_auc_is_scikit_learns_with_ties():
    rng = np.random.default_rng(0)
    knows, ignorant = rng.integers(2, 8, 30).astype(float), rng.integers(0, 6, 25).astype(float)
    found = faithfulness(knows, ignorant)
    labels = [1] * 30 + [0] * 25
    assert found.auc == pytest.approx(roc_auc_score(labels, [*knows, *ignorant]))
    assert found.low < found.auc < found.high


def test_what_separates_the_pools_is_certain_and_what_cannot_is_a_half():
    apart = faithfulness(np.array([3.0, 4, 5]), np.array([0.0, 1, 1]))
    assert (apart.auc, apart.low, apart.high) == (1, 1, 1)
    assert (apart.threshold, apart.accuracy) == (2, 1)
    same = faithfulness(np.ones(5), np.ones(4))
    assert (same.auc, same.accuracy) == (0.5, 0.5)


def test_the_interval_covers_a_half_where_both_pools_are_alike():
    """The negative control: expected for about 38 of 40 pairs of pools from one distribution."""
    rng = np.random.default_rng(1)
    found = [faithfulness(rng.normal(size=30), rng.normal(size=30)) for _ in range(40)]
    assert sum(f.low <= 0.5 <= f.high for f in found) >= 34


def test_the_threshold_weighs_both_pools_alike():
    """Nine models know and one does not: calling all of them knowing would be right nine times out
    of ten.
    """
    knows = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9])
    assert best_threshold(knows, np.array([1.5])) == (1.75, pytest.approx((8 / 9 + 1) / 2))


def test_metrics_that_fall_with_knowledge_are_turned():
    assert oriented("truth_ratio", [0.2]) == -0.2
    assert oriented("exact_answer", [0.2]) == 0.2


@pytest.mark.parametrize("pools", [([], [1.0]), ([1.0], []), ([1.0, np.nan], [0.0])])
def test_empty_pools_and_missing_values_are_refused(pools):
    with pytest.raises(ValueError, match="both pools need models"):
        faithfulness(*map(np.array, pools))


def attacked(before, after, oracle_before=(0.1,), oracle_after=(0.3,)):
    return Attacked(*map(np.array, (before, after, oracle_before, oracle_after)))


def test_relearning_by_both_formulas():
    values = attacked([0.1, 0.1, 0.5], [0.5, 0.2, 0.4], [0.1] * 3, [0.3] * 3)
    assert relearning_one_sided(values) == pytest.approx([0.2 / 0.4, 1, 1])
    gains, oracle = np.array([0.4, 0.1, -0.1]), 0.2
    expected = 1 - np.abs(gains - oracle) / (np.abs(gains) + oracle)
    assert relearning_symmetric(values) == pytest.approx(expected, abs=1e-5)


def test_quantization_by_both_formulas():
    values = attacked([0.1, 0.4, 0.0], [0.4, 0.1, 0.0])
    assert quantization_one_sided(values) == pytest.approx([0.25, 1, 1])
    assert quantization_symmetric(values) == pytest.approx([0.4, 0.4, 1], abs=1e-5)


def test_robustness_is_the_harmonic_mean_over_attacks():
    relearned, quantized = attacked([0.1], [0.5]), attacked([0.1], [0.4])
    both = {"relearning": relearned, "quantization": quantized}
    assert robustness(both, symmetric=False) == pytest.approx(hmean([0.5, 0.25]))
    assert robustness(both, symmetric=True) == pytest.approx(hmean([2 / 3, 0.4]), abs=1e-4)
