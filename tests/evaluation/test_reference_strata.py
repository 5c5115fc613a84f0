"""Strata by thirds: how well the target knows an example, and how hard it is for the oracles to
guess.
"""

from collections import Counter

import numpy as np
import pytest

from benchmark.evaluation.reference_strata import difficulty_strata, strata_of, with_strata


@pytest.fixture
def forget(make_sample):
    """Builds forget samples with these mean log-probabilities."""

    def samples(*means, **changes):
        return [
            make_sample(**({"example": f"e{i}", "logprobs": np.array([2 * m, 0.0])} | changes))
            for i, m in enumerate(means)
        ]

    return samples


def column(strata, name):
    return [tags[name] for tags in strata.values()]


def test_memorization_is_by_the_target_and_difficulty_by_the_oracles(forget):
    target = forget(-1, -2, -3)
    oracles = [forget(-9, -1, -4), forget(-9, -3, -2)]  # mean losses 9, 2, 3
    assert difficulty_strata(target, oracles) == {
        "e0": {"memorization": "high", "difficulty": "high"},
        "e1": {"memorization": "mid", "difficulty": "low"},
        "e2": {"memorization": "low", "difficulty": "mid"},
    }


def test_what_is_long_is_not_difficult_for_that(make_sample):
    """Difficulty is the mean over tokens, not their sum."""
    rows = [("long", -np.ones(30)), ("middle", -2 * np.ones(2)), ("short", -np.ones(1) * 3)]
    samples = [make_sample(example=name, logprobs=logprobs) for name, logprobs in rows]
    assert column(difficulty_strata(samples, [samples]), "difficulty") == ["low", "mid", "high"]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 56, 90])
def test_thirds_are_equal_in_size(forget, size):
    values = np.random.default_rng(size).normal(size=size)
    strata = difficulty_strata(forget(*values), [forget(*values[::-1])])
    for name in ("memorization", "difficulty"):
        counts = Counter(column(strata, name))
        sizes = [counts[third] for third in ("low", "mid", "high")]
        assert sum(sizes) == size
        assert max(sizes) - min(sizes) <= 1
    ordered = [t for _, t in sorted(zip(values, column(strata, "memorization"), strict=True))]
    assert ordered == sorted(ordered, key=["low", "mid", "high"].index)


def test_ties_are_cut_in_order_of_the_examples(forget):
    strata = difficulty_strata(forget(*[-1.0] * 6), [forget(*[-2.0] * 6)])
    for name in ("memorization", "difficulty"):
        assert column(strata, name) == ["low", "low", "mid", "mid", "high", "high"]


def test_only_the_final_model_and_the_forget_split_count(forget):
    plain = difficulty_strata(forget(-1, -2, -3), [forget(-1, -2, -3)])
    attacked, retained = (
        forget(-9, -8, -7, stage="quantize_int4"),
        forget(-9, -8, -7, split="retain"),
    )
    assert (
        difficulty_strata(
            [*attacked, *forget(-1, -2, -3), *retained], [forget(-1, -2, -3) + attacked]
        )
        == plain
    )


def test_strata_are_added_to_the_forget_split_alone(make_sample):
    samples = [
        make_sample(example="e0", strata={"reads": "4"}),
        make_sample(example="e0", stage="relearn", strata={"reads": "4"}),
        make_sample(example="e0", split="retain", strata={"reads": "8"}),
        make_sample(example="e1"),
    ]
    marked = with_strata(samples, {"e0": {"difficulty": "low"}})
    both = {"reads": "4", "difficulty": "low"}
    assert [s.strata for s in marked] == [both, both, {"reads": "8"}, {}]
    assert [s.strata for s in samples] == [{"reads": "4"}, {"reads": "4"}, {"reads": "8"}, {}]
    assert strata_of(marked) == {"e0": both, "e1": {}}
    assert with_strata(samples, strata_of(marked)) == marked
