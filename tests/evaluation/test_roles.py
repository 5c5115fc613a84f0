"""From examples to values by role: roles without a split are left out, and choices are scored."""

import math

import pytest
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.examples import Example
from benchmark.core.task_data import TaskData
from benchmark.evaluation.outputs import examine
from benchmark.inference.guardrail_predictors import ConstantPredictor
from benchmark.inference.predictors import ModelPredictor
from benchmark.inference.settings import GenerationSettings
from benchmark.metrics.frames import example_frame
from benchmark.metrics.values import metric_values

SETTINGS = GenerationSettings(max_new_tokens=3)


def asked(name, **more):
    return Example(name, name, f"Where was {name} born?", "Malport", **more)


def chosen(name, right):
    choices = ("A. Malport", "B. Kel")
    return Example(
        name, name, f"Where? {' '.join(choices)}", choices[right], choices=choices, right=right
    )


def values_of(data, predictor):
    frame = example_frame(examine(predictor, data.evaluated, "model", SETTINGS))
    return {(v.split, v.metric): v.value for v in metric_values(frame, []) if v.stratum == "all"}


@pytest.fixture
def predictor():
    return ModelPredictor(tiny_model(), tiny_tokenizer())


def test_forget_and_retain_alone_have_values_and_no_membership_metric(predictor):
    splits = {"forget": [asked("Ada"), asked("Ivo")], "retain": [asked("Kel")]}
    found = values_of(TaskData.of(splits, [], [], answers="name"), predictor)
    assert {split for split, _ in found} == {"forget", "retain"}
    assert not math.isnan(found["forget", "probability"])
    assert not [metric for _, metric in found if metric.startswith(("mia", "exposure", "model_u"))]


def test_a_holdout_brings_the_membership_metrics(predictor):
    splits = {role: [asked("Ada"), asked("Ivo")] for role in ("forget", "retain", "holdout")}
    found = values_of(TaskData.of(splits, [], [], answers="name"), predictor)
    assert found["forget", "mia_loss"] == 0.5, "the same examples cannot be told apart"
    assert not [metric for split, metric in found if split == "holdout"]


def test_what_is_never_rehearsed_counts_as_what_is_kept(predictor):
    splits = {"forget": [asked("Ada")], "retain": [asked("Kel")], "retain_eval": [asked("Tor")]}
    found = values_of(TaskData.of(splits, [], [], answers="name"), predictor)
    kept = [{m for split, m in found if split == role} for role in ("retain", "retain_eval")]
    assert kept[0] == kept[1]


def test_a_model_that_says_the_first_choice_is_right_where_it_is_the_right_one():
    predictor = ConstantPredictor("A. Malport", tiny_tokenizer())
    splits = {"forget": [chosen("a", 0), chosen("b", 1), chosen("c", 1)], "retain": [asked("Kel")]}
    data = TaskData.of(splits, [], [], answers={"forget": "choice", "retain": "name"})
    found = values_of(data, predictor)
    assert found["forget", "choice_accuracy"] == pytest.approx(1 / 3)
    assert found["forget", "exact_answer"] == pytest.approx(1 / 3)
    assert ("retain", "choice_accuracy") not in found
