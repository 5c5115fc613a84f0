"""Membership attacks: the scores by hand, and the direction of their AUC through
`metric_values`.
"""

import numpy as np
import pytest

from benchmark.metrics.frames import example_frame
from benchmark.metrics.membership import mean_logprob, min_k_logprob
from benchmark.metrics.values import metric_values


def auc_of(make_sample, forget, holdout, metric="mia_loss"):
    """The recorded AUC of examples with these token log-probabilities."""
    samples = [
        make_sample(
            split=split, example=f"{split}-{i}", logprobs=np.array(value, dtype=float, ndmin=1)
        )
        for split, values in (("forget", forget), ("holdout", holdout))
        for i, value in enumerate(values)
    ]
    values = metric_values(example_frame(samples), [])
    return next(v for v in values if v.metric == metric and v.stratum == "all")


def test_loss_score_is_the_mean_log_probability(make_sample):
    assert mean_logprob(make_sample(logprobs=np.array([-1.0, -2, -6]))) == pytest.approx(-3)


@pytest.mark.parametrize(
    ("logprobs", "expected"),
    [
        ([-3.0], -3),  # there is only one token
        ([-1.0, -3], -3),  # floor(0.8) = 0, but at least one is taken
        ([-1.0, -5, -2, -3], -5),  # floor(1.6) = 1
        ([-1.0, -5, -2, -4, -3], -4.5),  # floor(2.0) = 2: the two least likely
        ([-float(i) for i in range(10)], -7.5),  # floor(4.0) = 4: -9, -8, -7, -6
    ],
)
def test_min_k_takes_the_least_likely_two_fifths(make_sample, logprobs, expected):
    assert min_k_logprob(make_sample(logprobs=np.array(logprobs))) == pytest.approx(expected)


def test_min_k_does_not_depend_on_order_and_is_never_above_the_mean(make_sample):
    rng = np.random.default_rng(0)
    for _ in range(20):
        logprobs = -rng.random(rng.integers(1, 12))
        score = min_k_logprob(make_sample(logprobs=logprobs))
        assert score == pytest.approx(min_k_logprob(make_sample(logprobs=logprobs[::-1])))
        assert score <= mean_logprob(make_sample(logprobs=logprobs)) + 1e-12


@pytest.mark.parametrize("metric", ["mia_loss", "mia_min_k"])
def test_direction_likelier_forget_examples_give_one(make_sample, metric):
    assert auc_of(make_sample, [-0.1, -0.2], [-3, -4], metric).value == 1
    assert auc_of(make_sample, [-3, -4], [-0.1, -0.2], metric).value == 0
    assert auc_of(make_sample, [-1, -2], [-1, -2], metric).value == pytest.approx(0.5)


def test_ties_count_half(make_sample):
    assert auc_of(make_sample, [-1, -1], [-1, -2]).value == pytest.approx(0.75)


def test_an_example_without_tokens_is_left_out_and_counted(make_sample):
    value = auc_of(make_sample, [-1, [], -5], [-2, []])
    assert (value.value, value.n_scored, value.n_failed) == (pytest.approx(0.5), 2, 1)


def test_without_a_holdout_there_is_no_auc(make_sample):
    values = metric_values(example_frame([make_sample()]), [])
    assert not {v.metric for v in values} & {
        "mia_loss",
        "mia_min_k",
        "mia_unlearned",
        "exposure",
        "outliers",
    }
    assert np.isnan(auc_of(make_sample, [-1.0], [float("nan")]).value)


@pytest.mark.parametrize("score", [mean_logprob, min_k_logprob])
def test_an_answer_without_tokens_is_an_error(make_sample, score):
    """As for all other metrics, a ValueError and not a NaN with a numpy warning."""
    with pytest.raises(ValueError, match="without tokens"):
        score(make_sample(logprobs=np.zeros(0)))
