"""Probability metrics against values computed by hand."""

import math

import numpy as np
import pytest

from benchmark.metrics.probability import (
    choice_probability,
    normalized_probability,
    paraphrased_probability,
    probability,
    truth_ratio,
    truth_ratio_cw,
    truth_ratio_raw,
    truth_ratio_utility,
)


def logs(*probabilities):
    return np.log(np.array(probabilities, dtype=float))


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((0.5,), 0.5),
        ((0.5, 0.125), 0.25),  # sqrt(1/16)
        ((1.0, 1.0, 1.0), 1.0),
        ((0.2, 0.4, 0.1), 0.2),  # cube root of 0.008
    ],
)
def test_probability_is_the_geometric_mean_of_the_tokens(make_sample, tokens, expected):
    assert probability(make_sample(logprobs=logs(*tokens))) == pytest.approx(expected)


def test_probability_does_not_depend_on_length(make_sample):
    assert probability(make_sample(logprobs=logs(0.3))) == pytest.approx(
        probability(make_sample(logprobs=logs(*[0.3] * 50)))
    )


def test_probability_of_an_impossible_token_is_zero(make_sample):
    assert probability(make_sample(logprobs=np.array([-np.inf, -0.1]))) == 0


def test_an_answer_without_tokens_is_an_error():
    with pytest.raises(ValueError, match="without tokens"):
        normalized_probability(np.zeros(0))


def test_paraphrased_probability_averages_the_prompts_not_their_tokens(make_sample):
    sample = make_sample(paraphrase_logprobs=(logs(0.5, 0.125), logs(0.5)))
    assert paraphrased_probability(sample) == pytest.approx((0.25 + 0.5) / 2)


def test_paraphrased_probability_ignores_the_trained_prompt(make_sample):
    assert paraphrased_probability(make_sample(logprobs=logs(0.001))) == paraphrased_probability(
        make_sample()
    )


def test_paraphrased_probability_needs_a_paraphrase(make_sample):
    assert math.isnan(paraphrased_probability(make_sample(paraphrase_logprobs=())))


def test_choice_probability_compares_length_normalised_answers(make_sample):
    sample = make_sample(
        paraphrase_logprobs=(logs(0.5),),
        perturbed_logprobs=(logs(0.25), logs(0.5, 0.125)),  # the second is also 0.25
    )
    assert choice_probability(sample) == pytest.approx(0.5 / (0.5 + 0.25 + 0.25))


@pytest.mark.parametrize("missing", ["paraphrase_logprobs", "perturbed_logprobs"])
@pytest.mark.parametrize(
    "metric",
    [choice_probability, truth_ratio, truth_ratio_cw, truth_ratio_utility, truth_ratio_raw],
)
def test_comparisons_need_both_sides(make_sample, metric, missing):
    assert math.isnan(metric(make_sample(**{missing: ()})))


# By hand: the wrong answers have p = 0.1 and 0.4, with the geometric mean sqrt(0.04) = 0.2 (the
# arithmetic mean would be 0.25). The right answer has p = 0.5, so R = 0.2 / 0.5 = 0.4. If p = 0.08,
# R = 2.5.
@pytest.mark.parametrize(
    ("metric", "sure_of_truth", "sure_of_lie"),
    [
        (truth_ratio_raw, 0.4, 2.5),
        (truth_ratio, 0.4, 0.4),
        (truth_ratio_cw, 1 / 1.4, 1 / 3.5),
        (truth_ratio_utility, 0.6, 0.0),
    ],
)
def test_truth_ratio_by_hand(make_sample, metric, sure_of_truth, sure_of_lie):
    wrong = (logs(0.1), logs(0.4))
    assert metric(
        make_sample(paraphrase_logprobs=(logs(0.5),), perturbed_logprobs=wrong)
    ) == pytest.approx(sure_of_truth)
    assert metric(
        make_sample(paraphrase_logprobs=(logs(0.08),), perturbed_logprobs=wrong)
    ) == pytest.approx(sure_of_lie)


def test_truth_ratio_normalises_each_answer_by_its_own_length(make_sample):
    long = make_sample(
        paraphrase_logprobs=(logs(0.5, 0.5, 0.5),), perturbed_logprobs=(logs(0.2), logs(0.2, 0.2))
    )
    assert truth_ratio_raw(long) == pytest.approx(0.4)


def test_truth_ratio_reads_the_first_held_out_prompt_only(make_sample):
    """The perturbed answers are scored with that prompt."""
    first = make_sample(paraphrase_logprobs=(logs(0.5),))
    assert truth_ratio_raw(
        make_sample(paraphrase_logprobs=(logs(0.5), logs(0.01)))
    ) == truth_ratio_raw(first)


def test_truth_ratio_is_one_where_the_model_cannot_tell(make_sample):
    sample = make_sample(
        paraphrase_logprobs=(logs(0.3),), perturbed_logprobs=(logs(0.3), logs(0.3))
    )
    assert truth_ratio(sample) == pytest.approx(1)
    assert truth_ratio_cw(sample) == pytest.approx(0.5)
    assert truth_ratio_utility(sample) == pytest.approx(0)


@pytest.mark.parametrize(
    ("right", "wrong"), [(-1e6, -1.0), (-1.0, -1e6), (-np.inf, -1.0), (-1.0, -np.inf)]
)
def test_extreme_models_give_finite_truth_ratios(make_sample, right, wrong):
    sample = make_sample(
        paraphrase_logprobs=(np.array([right]),), perturbed_logprobs=(np.array([wrong]),)
    )
    assert truth_ratio(sample) == pytest.approx(0)
    assert truth_ratio_cw(sample) == pytest.approx(float(right > wrong))
    assert truth_ratio_utility(sample) == pytest.approx(float(right > wrong))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("field", ["paraphrase_logprobs", "perturbed_logprobs"])
@pytest.mark.parametrize(
    "metric", [truth_ratio, truth_ratio_cw, truth_ratio_utility, choice_probability]
)
def test_an_empty_compared_answer_is_never_a_number(make_sample, metric, field):
    sample = make_sample(**{field: (np.zeros(0),)})
    try:
        value = metric(sample)
    except ValueError:
        return
    assert math.isnan(value)
