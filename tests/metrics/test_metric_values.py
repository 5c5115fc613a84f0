"""From samples to a record's values: where metrics apply, which examples fail, how strata add up,
and what the registry guarantees.
"""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from benchmark.core.answer_form import FORMS
from benchmark.core.examples import ROLES
from benchmark.metrics import METRICS
from benchmark.metrics.base import register
from benchmark.metrics.distribution import forget_quality
from benchmark.metrics.frames import example_frame, strata_masks
from benchmark.metrics.stages import budget_stage, request_stage
from benchmark.metrics.values import metric_values

EMPTY = np.zeros(0)
SCORING_PASS = (
    *("probability", "paraphrased_probability", "truth_ratio", "truth_ratio_cw"),
    *("extraction_strength", "exact_memorization", "mia_loss", "mia_min_k", "exposure"),
)


def found(values, metric, split="forget", stratum="all", stage="model"):
    (only,) = [
        v
        for v in values
        if (v.metric, v.split, v.stratum, v.stage) == (metric, split, stratum, stage)
    ]
    return only


@pytest.fixture
def values_of(make_sample):
    """Computes the values of samples that are given as dictionaries of changed fields."""

    def values(*changes, oracles=()):
        samples = [make_sample(**({"example": f"e{i}"} | c)) for i, c in enumerate(changes)]
        return metric_values(example_frame(samples), oracles)

    return values


def test_frame_has_a_row_per_sample_and_a_column_per_metric(make_sample):
    frame = example_frame([make_sample(example="a"), make_sample(example="b", split="retain")])
    assert list(frame.columns) == [
        "stage",
        "split",
        "example",
        "entity",
        "form",
        "features",
        "strata",
        *METRICS,
    ]
    assert list(frame["example"]) == ["a", "b"]
    assert frame["probability"].tolist() == pytest.approx([0.25, 0.25])


def test_frame_leaves_out_what_does_not_apply(make_sample):
    frame = example_frame(
        [make_sample(split="retain"), make_sample(split="holdout"), make_sample(stage="attack")]
    )
    retain, holdout, attacked = (frame.loc[i] for i in range(3))
    assert math.isnan(retain["extraction_strength"])
    assert math.isnan(retain["mia_loss"])
    assert not math.isnan(holdout["mia_loss"])
    assert math.isnan(holdout["probability"])
    assert math.isnan(attacked["probability"])
    assert not math.isnan(attacked["extraction_strength"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_after_an_attack_only_attacked_metrics_apply(metric, form):
    for split in ROLES:
        if not metric.attacked:
            assert not metric.applies("quantize", split, form)
        else:
            assert metric.applies("quantize", split, form) == metric.applies("model", split, form)


CONTRASTS = {"mia_loss", "mia_min_k", "mia_zlib", "mia_reference", "rmia", "rmia_tpr", "exposure"}


@pytest.mark.parametrize(
    ("form", "contrasts"),
    [("name", CONTRASTS), ("text", CONTRASTS | {"mia_unlearned", "outliers", "memorization_gap"})],
)
def test_only_contrasts_apply_to_the_holdout(form, contrasts):
    assert {m.id for m in METRICS.values() if m.applies("model", "holdout", form)} == contrasts


AT_REQUESTS = {
    *("probability", "paraphrased_probability", "choice_probability", "truth_ratio_utility"),
    *("exact_answer", "rouge_l_recall", "exposure", "mia_unlearned", "memorization_accuracy"),
    *("outliers", "memorization_gap", "choice_accuracy"),
}
NEED_WRONG_ANSWERS = {
    "choice_accuracy",
    "choice_probability",
    "truth_ratio_utility",
}  # wrong answers are not scored along a trajectory


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("stage", "scored"),
    [(budget_stage(0.5), AT_REQUESTS - NEED_WRONG_ANSWERS), (request_stage(3), AT_REQUESTS)],
)
@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_on_the_way_few_metrics_apply_and_only_where_they_apply_in_the_end(
    metric, stage, scored, form
):
    for split in ROLES:
        expected = metric.id in scored and metric.applies("model", split, form)
        assert metric.applies(stage, split, form) == expected


@pytest.mark.parametrize(
    "stage", ["model", "relearn_disjoint", budget_stage(0.5), request_stage(1)]
)
def test_a_metric_of_questions_never_scores_texts(stage):
    texts = {"mia_unlearned", "outliers", "memorization_accuracy", "memorization_gap"}
    texts |= {"extraction_likelihood_3"}
    both = {"probability", "extraction_strength", "margin", *CONTRASTS}
    for split in ("forget", "retain", "holdout"):
        scored = {
            form: {m.id for m in METRICS.values() if m.applies(stage, split, form)}
            for form in ("name", "text")
        }
        assert scored["text"] <= texts | both
        assert not scored["name"] & texts
        assert scored["text"] & both == scored["name"] & both
    assert not [m.id for m in METRICS.values() if m.applies("model", "forget", "poem")]


TEXT = {"prompt": "", "paraphrases": (), "paraphrase_logprobs": (), "paraphrase_generations": (),
        "perturbed": (), "perturbed_logprobs": ()}  # fmt: skip


def test_texts_and_questions_are_reported_by_their_own_metrics(values_of):
    values = values_of(TEXT, {}, {"split": "retain"} | TEXT, {"split": "general"})
    metrics = {
        split: {v.metric for v in values if v.split == split}
        for split in ("forget", "retain", "general")
    }
    assert metrics["retain"] == {"probability", "memorization_accuracy"}
    assert "exact_answer" in metrics["general"]
    assert metrics["forget"] - {"forget_quality", "forget_quality_ks"} == {
        "probability",
        "margin",
        "extraction_strength",
    }


def test_points_of_the_budget_have_no_strata_and_requests_have(values_of):
    tag = {"strata": {"step": "2"}}
    values = values_of(tag, {"stage": budget_stage(0.5)} | tag, {"stage": request_stage(1)} | tag)
    strata = {
        stage: {v.stratum for v in values if v.stage == stage}
        for stage in ("model", "budget 0.50", "request 01")
    }
    assert strata == {
        "model": {"all", "step=2"},
        "budget 0.50": {"all"},
        "request 01": {"all", "step=2"},
    }


def test_a_contrast_needs_a_holdout_of_its_own_stage(values_of):
    """The holdout is not evaluated between requests, and the final model's holdout must not stand
    in for it.
    """
    values = values_of({}, {"split": "holdout"}, {"stage": request_stage(1)})
    assert found(values, "exposure").n_scored == 1
    assert not [v for v in values if v.metric == "exposure" and v.stage == request_stage(1)]
    assert found(values, "probability", stage=request_stage(1)).n_scored == 1


def test_the_summaries_are_of_the_final_model_alone(values_of):
    values = values_of({}, {"stage": budget_stage(0.5)}, {"stage": request_stage(1)})
    assert {
        v.stage
        for v in values
        if v.metric in ("forget_quality", "forget_quality_ks", "model_utility")
    } == {"model"}


def test_means_are_plain_means_over_examples(values_of):
    values = values_of({"correct": np.array([True, True])}, {"correct": np.array([False] * 4)})
    assert found(values, "exact_memorization").value == 0.5


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_answer_without_tokens_fails_and_is_never_zero(values_of):
    broken = {"logprobs": EMPTY, "correct": EMPTY.astype(bool), "paraphrase_logprobs": (EMPTY,)}
    values = values_of({"correct": np.array([True, True])}, broken, {"split": "holdout"})
    for metric in SCORING_PASS:
        value = found(values, metric)
        assert (value.n_scored, value.n_failed) == (1, 1), metric
    assert found(values, "extraction_strength").value == 1
    assert found(values, "probability").value == pytest.approx(0.25)


def test_a_model_that_gives_nan_fails_and_is_never_zero(values_of):
    """Greedy tokens of NaN logits are all wrong: a zero here would be the winning score."""
    nan = np.array([np.nan, np.nan])
    broken = {
        "logprobs": nan,
        "correct": np.array([False, False]),
        "paraphrase_logprobs": (nan, nan),
        "perturbed_logprobs": (nan, nan),
    }
    values = values_of(broken, {"split": "holdout"})
    for metric in SCORING_PASS:
        value = found(values, metric)
        assert math.isnan(value.value), metric
        assert (value.n_scored, value.n_failed) == (0, 1), metric


def test_where_every_example_failed_the_value_is_nan(values_of):
    value = found(values_of({"logprobs": EMPTY}, {"logprobs": EMPTY}), "probability")
    assert math.isnan(value.value)
    assert (value.n_scored, value.n_failed) == (0, 2)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_strata_partition_the_examples(values_of):
    rng = np.random.default_rng(0)
    changes = [
        {
            "strata": {"frequency": "low" if i % 3 else "high"},
            "logprobs": -rng.random(3) if i != 4 else EMPTY,
        }
        for i in range(10)
    ]
    values = values_of(*changes)
    for metric in ("probability", "exact_answer", "truth_ratio"):
        whole = found(values, metric)
        parts = [found(values, metric, stratum=f"frequency={level}") for level in ("low", "high")]
        assert sum(p.n_scored for p in parts) == whole.n_scored
        assert sum(p.n_failed for p in parts) == whole.n_failed
        weighted = sum(p.value * p.n_scored for p in parts) / whole.n_scored
        assert weighted == pytest.approx(whole.value)
    assert found(values, "probability").n_failed == 1


def test_strata_are_listed_whole_first_and_by_name(make_sample):
    samples = [
        make_sample(strata={"b": "2"}),
        make_sample(strata={"b": "1", "a": "x"}),
        make_sample(),
    ]
    masks = strata_masks(example_frame(samples))
    assert list(masks) == ["all", "a=x", "b=1", "b=2"]
    assert masks["b=1"].tolist() == [False, True, False]
    assert masks["all"].all()


def test_a_stratum_of_a_contrast_faces_the_whole_holdout(values_of):
    def one(split, value, **strata):
        return {"split": split, "logprobs": np.array([value]), "strata": strata}

    values = values_of(
        one("forget", -1.0, f="low"),
        one("forget", -9.0, f="high"),
        one("holdout", -2.0),
        one("holdout", -8.0),
    )
    assert found(values, "mia_loss", stratum="f=low").value == 1
    assert found(values, "mia_loss", stratum="f=high").value == 0
    assert found(values, "mia_loss").value == 0.5


def test_stages_and_splits_are_aggregated_apart(values_of):
    right, wrong = np.array([True]), np.array([False])
    values = values_of({"correct": right}, {"correct": wrong, "stage": "relearn"})
    assert found(values, "exact_memorization").value == 1
    assert found(values, "exact_memorization", stage="relearn").value == 0


def test_values_do_not_depend_on_the_order_of_samples(model_samples):
    samples = model_samples(0.5, 0.8, 0)
    oracle = example_frame(model_samples(0.2, 0.8, 1))
    key = ["stage", "split", "metric", "stratum"]
    one, other = (
        pd.DataFrame(metric_values(example_frame(order), [oracle])).sort_values(
            key, ignore_index=True
        )
        for order in (samples, samples[::-1])
    )
    pd.testing.assert_frame_equal(one, other)


def test_summaries_are_those_of_the_whole_model(model_samples):
    frame, oracle = (
        example_frame(model_samples(0.6, 0.9, 0)),
        example_frame(model_samples(0.2, 0.9, 1)),
    )
    values = metric_values(frame, [oracle])

    def ratios(frame):
        return frame.query("stage == 'model' and split == 'forget'")["truth_ratio"].to_numpy()

    p_value, statistic = forget_quality(ratios(frame), [ratios(oracle)])
    assert found(values, "forget_quality").value == p_value
    assert found(values, "forget_quality_ks").value == statistic
    nine = [found(values, "probability", "retain").value]
    nine += [found(values, "choice_probability", split).value for split in ("neighbors", "general")]
    for metric in ("rouge_l_recall", "truth_ratio_utility"):
        nine += [found(values, metric, split).value for split in ("retain", "neighbors", "general")]
    assert found(values, "model_utility", "all").value == pytest.approx(
        9 / sum(1 / v for v in nine)
    )


def test_without_oracles_or_splits_summaries_are_no_number(values_of):
    values = values_of({})
    assert math.isnan(found(values, "forget_quality").value)
    assert not [v for v in values if v.metric == "model_utility"]


def test_no_samples_give_no_number():
    values = metric_values(example_frame([]), [])
    assert all(math.isnan(v.value) and v.n_scored == 0 for v in values)


@pytest.mark.parametrize(
    ("form", "begun", "extraction", "recall", "accuracy"),
    [
        ("name", "", True, False, False),
        ("name", "It was", False, False, False),  # the prefix gives away the end
        ("sentence", "", True, True, False),
        ("choice", "", True, False, True),
    ],
)
def test_the_declared_form_says_what_is_reported_whatever_the_answer_looks_like(
    make_sample, form, begun, extraction, recall, accuracy
):
    for answer in ("Ada Kel", "Ada Kel.", "It was Ada Kel, who else."):
        sample = make_sample(form=form, answer=answer, answer_prefix=begun)
        reported = {v.metric for v in metric_values(example_frame([sample]), [])}
        assert ("extraction_strength" in reported) is extraction
        assert ("sentence_recall" in reported) is recall
        assert ("choice_accuracy" in reported) is accuracy


def test_items_of_a_harness_are_scored_by_its_own_metric_alone(make_sample):
    sample = make_sample(split="harness", form="", score=0.5)
    values = metric_values(example_frame([sample]), [])
    assert [(v.metric, v.value) for v in values] == [("harness_accuracy", 0.5)]


@pytest.mark.parametrize(
    ("drawn", "reported"), [(0, []), (3, [1]), (16, [1, 4, 16]), (70, [1, 4, 16, 64])]
)
def test_leaks_are_of_no_more_answers_than_were_drawn(make_sample, drawn, reported):
    values = metric_values(example_frame([make_sample(sampled=("no",) * drawn)]), [])
    assert [v.metric for v in values if v.metric.startswith("leak")] == [
        f"leak_at_{k}" for k in reported
    ]


@pytest.mark.parametrize(("of_model", "of_attack"), [(0, 16), (16, 0)])
def test_leaks_are_reported_of_the_stage_whose_answers_were_drawn(make_sample, of_model, of_attack):
    """A stage that draws no answers would count all examples as failed."""
    samples = [
        make_sample(sampled=("no",) * of_model),
        make_sample(stage="sampling", sampled=("no",) * of_attack),
    ]
    values = metric_values(example_frame(samples), [])
    leaks = {v.stage for v in values if v.metric == "leak_at_16"}
    assert leaks == ({"model"} if of_model else {"sampling"})
    assert not [v for v in values if v.metric.startswith("leak") and v.n_failed]


def test_a_name_can_be_taken_once():
    with pytest.raises(ValueError, match="registered twice"):
        register(dataclasses.replace(METRICS["probability"]))


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_registry_is_consistent(metric):
    assert metric.id in METRICS
    assert metric.version >= 1
    assert all((metric.unit, metric.source, metric.description))
