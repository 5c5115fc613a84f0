"""Outputs on disk: round trip of everything that metrics read, stable bytes, shared inputs, and the
same values before and after.
"""

import dataclasses
import hashlib
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark.metrics import METRICS
from benchmark.metrics.frames import example_frame
from benchmark.metrics.values import metric_values
from benchmark.records import outputs
from benchmark.records.outputs import (
    OUTPUTS,
    Inputs,
    outputs_to_bytes,
    rounded,
    samples_of,
    sha256,
    stage_digests,
)


def evenly(logprobs):
    """As stored for a paraphrase or wrong answer: the mean, from the sum rounded to 1e-4."""
    return np.full(len(logprobs), rounded(np.sum(logprobs)) / max(1, len(logprobs)))


def same(one, other):
    """Asserts that all fields are equal, comparing arrays by content."""
    for field in dataclasses.fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
        elif field.name.endswith("_logprobs"):
            assert len(left) == len(right)
            for a, b in zip(left, right, strict=True):
                np.testing.assert_allclose(b, evenly(a), rtol=1e-12, atol=1e-12)
        else:
            assert left == right, field.name


@pytest.fixture
def odd_samples(make_sample):
    """Samples with edge cases in every field."""
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
            example="e1",
            logprobs=rounded(np.array([-np.inf, -0.0, np.nan])),
            correct=np.array([False, True, False]),
            paraphrases=(),
            paraphrase_logprobs=(),
            paraphrase_generations=(),
            perturbed=(),
            perturbed_logprobs=(),
        ),
        make_sample(
            example="e2",
            prompt="",
            history=(("user", "Hello."), ("assistant", "Yes?")),
            answer_prefix="It is ",
            logprobs=rounded(-rng.random(5)),
            generation="",
            paraphrase_logprobs=(),
            perturbed=(),
            perturbed_logprobs=(),
            sampled=("Kel", "", "Kel"),
            standardized=rounded(rng.normal(size=5)),
            prefix_words=(10, 20),
            continuations=("and so on, 東京", ""),
        ),
        make_sample(
            example="e3",
            logprobs=np.zeros(0),
            correct=np.zeros(0, dtype=bool),
            paraphrase_logprobs=(np.zeros(0), np.array([np.nan, -1.0])),
            perturbed=(),
            perturbed_logprobs=(),
        ),
        make_sample(
            example="e4",
            split="harness",
            form="",
            prompt="",
            answer="",
            logprobs=np.zeros(0),
            correct=np.zeros(0, dtype=bool),
            paraphrases=(),
            paraphrase_logprobs=(),
            paraphrase_generations=(),
            perturbed=(),
            perturbed_logprobs=(),
            generation="",
            score=1 / 3,
        ),
    ]


def to_bytes(samples):
    """(outputs, inputs) of samples as bytes."""
    inputs = Inputs.of(samples)
    return outputs_to_bytes(samples, inputs), inputs.to_bytes()


def back(samples):
    said, asked = to_bytes(samples)
    return samples_of(said, Inputs.from_bytes(asked))


def test_round_trip_of_rounded_samples_is_exact(odd_samples):
    for before, after in zip(odd_samples, back(odd_samples), strict=True):
        same(before, after)


def test_a_second_round_trip_changes_nothing(odd_samples):
    once = back(odd_samples)
    for before, after in zip(once, back(once), strict=True):
        same(before, after)
    assert to_bytes(once) == to_bytes(odd_samples)


def test_the_same_samples_give_the_same_bytes(odd_samples):
    assert to_bytes(odd_samples) == to_bytes(odd_samples)


def test_the_order_of_strata_does_not_change_the_bytes(make_sample):
    one, other = make_sample(strata={"a": "1", "b": "2"}), make_sample(strata={"b": "2", "a": "1"})
    assert to_bytes([one]) == to_bytes([other])


def test_the_order_of_samples_does_not_change_the_inputs(odd_samples):
    assert to_bytes(odd_samples)[1] == to_bytes(odd_samples[::-1])[1]


def test_other_samples_give_other_bytes(make_sample):
    """Completions are stored in the outputs; questions and expected answers in the inputs."""
    said, asked = to_bytes([make_sample()])
    assert to_bytes([make_sample(generation="else")]) == (
        outputs_to_bytes([make_sample(generation="else")], Inputs.from_bytes(asked)),
        asked,
    )
    assert to_bytes([make_sample(generation="else")])[0] != said
    assert to_bytes([make_sample(answer="Mur")])[0] == said
    assert to_bytes([make_sample(answer="Mur")])[1] != asked


def test_no_samples_are_still_files():
    assert back([]) == []


def test_a_later_stage_may_ask_less_of_an_example(make_sample):
    """For example, a trajectory point scores no wrong answers and continues no prefixes."""
    tokens = {"logprobs": rounded(np.array([-0.7, -2.1]))}
    whole = make_sample(prefix_words=(10,), continuations=("on",), **tokens)
    less = make_sample(
        stage="shaken",
        **tokens,
        perturbed=(),
        perturbed_logprobs=(),
        prefix_words=(),
        continuations=(),
    )
    for samples in ([whole, less], [less, whole]):
        assert len(Inputs.of(samples).rows) == 1
        for before, after in zip(samples, back(samples), strict=True):
            same(before, after)


@pytest.mark.parametrize(
    "change",
    [
        {"answer": "Mur"},
        {"prompt": "Where?"},
        {"paraphrases": ("Ada's town?",)},
        {"strata": {"a": "1"}},
        {"entity": "p1"},
        {"history": (("user", "Hello."),)},
        {"aliases": ("Kel town",)},
        {"perturbed": ("Tol", "Mur")},
    ],
)
def test_two_stages_ask_the_same_under_one_name(make_sample, change):
    (field,) = change
    with pytest.raises(ValueError, match=f"forget/e0.*{field}"):
        Inputs.of([make_sample(), make_sample(stage="shaken", **change)])


def test_one_name_in_two_splits_is_two_inputs(make_sample):
    samples = [make_sample(), make_sample(split="retain", answer="Mur")]
    assert [s.answer for s in back(samples)] == ["Kel", "Mur"]


def test_reading_some_sorts_of_stages_leaves_out_the_others(make_sample):
    stages = ["model", "shaken", "shaken 010", "budget 0.50", "request 02"]
    said, asked = to_bytes([make_sample(stage=stage) for stage in stages])

    def read(*sorts):
        return [s.stage for s in samples_of(said, Inputs.from_bytes(asked), sorts)]

    assert read("model", "attack") == ["model", "shaken"]
    assert read("point", "budget") == ["shaken 010", "budget 0.50"]
    assert read() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paraphrase_tokens": [1]}, "token counts differ"),  # of two paraphrases
        ({"paraphrase_tokens": [-1, 1]}, "negative"),
        ({"tokens": 2, "hits": 1}, "exactly one sum"),  # with a value for each token
    ],
)
def test_outputs_whose_counts_disagree_are_refused(make_sample, change, message):
    said, asked = to_bytes([make_sample()])
    rows = pq.read_table(io.BytesIO(said)).to_pylist()
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([rows[0] | change], schema=OUTPUTS), sink)
    with pytest.raises(ValueError, match=message):
        samples_of(sink.getvalue(), Inputs.from_bytes(asked))


def test_outputs_of_other_inputs_are_refused(make_sample):
    said, _ = to_bytes([make_sample(), make_sample(example="e1")])
    with pytest.raises(IndexError):
        samples_of(said, Inputs.of([make_sample()]))
    with pytest.raises(KeyError):
        outputs_to_bytes([make_sample(example="e9")], Inputs.of([make_sample()]))


@pytest.mark.parametrize("stage", ["budget 0.50", "request 02"])
def test_on_the_way_means_are_kept_exactly(make_sample, stage):
    """Values at these stages cover all tokens, although single tokens are not stored."""
    rng = np.random.default_rng(0)
    fields = {"logprobs": rounded(-rng.random(7) * 9), "correct": rng.random(7) < 0.4}
    before = [
        make_sample(stage=stage, **fields),
        make_sample(stage=stage, example="e1", prompt="", **fields),
    ]
    after = back(before)
    for metric in ("probability", "memorization_accuracy"):
        for one, other in zip(before, after, strict=True):
            assert METRICS[metric].example(other) == pytest.approx(
                METRICS[metric].example(one), rel=1e-12
            )
    assert [len(s.logprobs) for s in after] == [7, 7]
    final = back([make_sample(**fields)])[0]
    np.testing.assert_array_equal(final.logprobs, fields["logprobs"])
    np.testing.assert_array_equal(final.correct, fields["correct"])


@pytest.mark.parametrize("odd", [np.nan, -np.inf])
def test_on_the_way_what_is_not_finite_stays_so(make_sample, odd):
    (sample,) = back([make_sample(stage="budget 0.50", logprobs=np.array([-1.0, odd]))])
    np.testing.assert_array_equal(sample.logprobs, [odd, odd])


def test_digests_are_of_the_content_and_not_of_its_compression(odd_samples, monkeypatch):
    before, said = stage_digests(odd_samples), to_bytes(odd_samples)[0]
    write = outputs.pq.write_table

    def plain(table, sink, **options):
        write(table, sink, **(options | {"compression": "none", "compression_level": None}))

    monkeypatch.setattr(outputs.pq, "write_table", plain)
    assert to_bytes(odd_samples)[0] != said
    assert stage_digests(odd_samples) == before
    assert stage_digests(back(odd_samples)) == before


def test_digests_are_those_of_stages(make_sample):
    """The harness is a separate stage, and a stage's digest depends only on its own samples."""
    samples = [
        make_sample(),
        make_sample(stage="shaken"),
        make_sample(split="harness", score=0.5),
    ]
    before = stage_digests(samples)
    assert {stage: rows for stage, (rows, _) in before.items()} == {
        "model": 1,
        "shaken": 1,
        "harness": 1,
    }
    after = stage_digests([samples[0], make_sample(stage="shaken", generation="x"), samples[2]])
    assert {stage for stage in before if before[stage] != after[stage]} == {"shaken"}
    more = stage_digests([make_sample(example="a"), *samples])
    assert more["shaken"] == before["shaken"]  # whatever the rows of inputs are


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
    """A run computes values from rounded log-probabilities before writing them; a reader computes
    them from the file.

    Any difference, for example float32 against float64 arithmetic, would make `palimpsest validate`
    refuse honest records.
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
