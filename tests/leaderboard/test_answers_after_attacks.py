"""Answers after attacks, as listed in the explorer."""

import numpy as np

from benchmark.metrics.sample import Sample
from leaderboard.examples import attacked


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
