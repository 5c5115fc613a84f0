"""Samples on disk: exact round trip, stable bytes, and the same values before and after."""

import dataclasses
import hashlib

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics.values import example_frame, metric_values
from benchmark.records.samples import rounded, samples_from_bytes, samples_to_bytes, sha256


def same(one, other):
    """Field by field, arrays by content."""
    for field in dataclasses.fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
        elif field.name.endswith("_logprobs"):
            assert len(left) == len(right)
            for a, b in zip(left, right, strict=True):
                np.testing.assert_array_equal(a, b)
        else:
            assert left == right, field.name


@pytest.fixture
def odd_samples(make_sample):
    """Samples with every field at an edge."""
    rng = np.random.default_rng(0)
    return [
        make_sample(
            logprobs=rounded(-rng.random(5) * 20),
            correct=np.array([True, False, True, True, False]),
            strata={"b": "2", "a": "1"},
            aliases=("Ada", "Ada L."),
            answer='naïve "quoted", 東京\n',
            generation="",
            paraphrase_logprobs=(rounded(-rng.random(2)), rounded(-rng.random(7))),
            perturbed_logprobs=(rounded(np.array([-1e-5, -800.0])), rounded(np.zeros(1))),
        ),
        make_sample(
            logprobs=rounded(np.array([-np.inf, -0.0])),
            correct=np.array([False, True]),
            paraphrases=(),
            paraphrase_logprobs=(),
            paraphrase_generations=(),
            perturbed=(),
            perturbed_logprobs=(),
        ),
        make_sample(
            prompt="",
            logprobs=rounded(-rng.random(5)),
            generation="",
            paraphrase_logprobs=(),
            perturbed_logprobs=(),
            prefix_words=(10, 20),
            continuations=("and so on, 東京", ""),
        ),
        make_sample(
            logprobs=np.zeros(0),
            correct=np.zeros(0, dtype=bool),
            paraphrase_logprobs=(np.zeros(0),),
            perturbed_logprobs=(),
        ),
    ]


def back(samples):
    return samples_from_bytes(samples_to_bytes(samples))


def test_round_trip_of_rounded_samples_is_exact(odd_samples):
    for before, after in zip(odd_samples, back(odd_samples), strict=True):
        same(before, after)


def test_a_second_round_trip_changes_nothing(odd_samples):
    once = back(odd_samples)
    for before, after in zip(once, back(once), strict=True):
        same(before, after)


def test_the_same_samples_give_the_same_bytes(odd_samples):
    first = samples_to_bytes(odd_samples)
    assert samples_to_bytes(odd_samples) == first
    assert samples_to_bytes(samples_from_bytes(first)) == first


def test_the_order_of_strata_does_not_change_the_bytes(make_sample):
    one, other = make_sample(strata={"a": "1", "b": "2"}), make_sample(strata={"b": "2", "a": "1"})
    assert samples_to_bytes([one]) == samples_to_bytes([other])


def test_other_samples_give_other_bytes(make_sample):
    assert samples_to_bytes([make_sample()]) != samples_to_bytes([make_sample(generation="else")])


def test_no_samples_are_still_a_file():
    assert back([]) == []


def test_types_after_reading(make_sample):
    (sample,) = back([make_sample()])
    assert sample.correct.dtype == bool
    assert sample.logprobs.dtype == np.float64
    assert isinstance(sample.paraphrases, tuple)
    assert sample.prefix_words == sample.continuations == ()
    (text,) = back([make_sample(prompt="", prefix_words=(10,), continuations=("on",))])
    assert (text.form, text.prefix_words, text.continuations) == ("text", (10,), ("on",))
    assert type(text.prefix_words[0]) is int
    assert sample.strata == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-0.123449, -0.1234), (-0.12346, -0.1235), (-1e-9, 0.0), (-12.00004, -12.0)],
)
def test_rounded_to_four_places(value, expected):
    assert rounded(np.array([value]))[0] == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_rounding_twice_is_rounding_once():
    values = -np.random.default_rng(0).random(200) * 30
    np.testing.assert_array_equal(rounded(rounded(values)), rounded(values))


def test_values_measured_in_a_run_are_those_recomputed_from_the_file(model_samples):
    """A run computes values from rounded log-probabilities before they are written; a reader, from
    the file.

    Any difference, as of float32 against float64 arithmetic, makes `palimpsest validate` refuse
    honest records.
    """
    measured, oracle = model_samples(0.6, 0.9, 0), model_samples(0.2, 0.9, 1)
    key = ["stage", "split", "metric", "stratum"]
    in_run, from_file = (
        pd.DataFrame(metric_values(example_frame(own), [example_frame(other)])).set_index(key)[
            "value"
        ]
        for own, other in ((measured, oracle), (back(measured), back(oracle)))
    )
    pd.testing.assert_series_equal(in_run, from_file, rtol=0, atol=1e-12)


def test_sha256_is_the_standard_one():
    assert sha256(b"abc") == hashlib.sha256(b"abc").hexdigest()
