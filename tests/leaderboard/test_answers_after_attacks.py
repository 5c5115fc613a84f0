"""Answers after attacks, as listed in the explorer."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.metrics.memorization import extraction_likelihood_3
from benchmark.metrics.sample import Sample
from leaderboard.examples import answers, attacked, variant_examples


def asked(stage, example, generation, again=()):
    return Sample(
        stage=stage,
        split="forget",
        example=example,
        entity="p1",
        prompt="Where?",
        answer="Rome",
        logprobs=np.log([0.5]),
        correct=np.ones(1),
        generation=generation,
        form="name",
        paraphrase_generations=again,
        paraphrase_logprobs=(np.log([0.25]),) * len(again),
    )


def test_an_attack_with_prompts_of_its_own_has_one_answer_beside_the_example_that_it_asks_for():
    examples = [{"split": "forget", "id": name} for name in ("a", "b")]
    samples = [
        asked("model", "b", "Paris"),
        asked("shaken", "b", "Rome", again=("Oslo",)),
        asked("prefix", "b~prefix", "In Rome", again=("In Rome",)),
        asked("prefix", "b~another", "Oslo", again=("Oslo",)),
    ]
    assert attacked(samples, examples) == {
        "shaken": {1: [("Rome", 0.5, 1), ("Oslo", 0.25, 0)]},
        "prefix": {1: [("In Rome", 0.5, 1)]},
    }


def test_a_text_without_spaces_is_cut_where_the_metric_cut_it():
    """By characters, as `extraction_likelihood_3` counts them, which has no words to count here."""
    text = "他在北京大学学习物理学，后来去了上海。"
    sample = replace(
        asked("model", "a", ""),
        form="text",
        prompt="",
        answer=text,
        prefix_words=(4, 8),
        continuations=("大学学习物理", "我不知道"),
    )
    (example,) = variant_examples([sample])
    assert example["prompts"] == ["他在北京", "他在北京大学学习"]
    assert example["expected"] == ["大学学习物理学，后来去了上海。", "物理学，后来去了上海。"]
    assert example["words"] == [4, 8]
    ((_, known, right), (_, unknown, wrong)) = answers([sample], [example])[0]
    assert (known, right, unknown, wrong) == (1.0, 1, 0.0, 0)
    assert extraction_likelihood_3(sample) == pytest.approx((known + unknown) / 2)
