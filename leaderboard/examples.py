"""What models answered, packed for the record pages: a variant's prompts once, then each run's answers."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.metrics.base import MEMBERSHIP_HOLDOUT
from benchmark.metrics.generation import contains_answer
from benchmark.metrics.probability import normalized_probability
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import MODEL_STAGE

LONGEST = 400  # characters of a generation that are shown; the samples file has all of it

Answer = tuple[str, float | None, int]  # text, probability of the expected answer, whether the text contains it
Answers = list[Answer] | None  # to the prompt as trained, then to the held-out ones; None if the example was not asked
Key = tuple[str, str]


def shown(samples: Sequence[Sample]) -> dict[Key, Sample]:
    """The samples that are shown, by split and example: the model's own, without those of the membership holdout."""
    return {(s.split, s.example): s for s in samples if s.stage == MODEL_STAGE and s.split != MEMBERSHIP_HOLDOUT}


def variant_examples(samples: Sequence[Sample]) -> list[dict]:
    """Each example of a variant: split, id, strata, expected answer and prompts, the one as trained first."""
    return [
        {
            "split": s.split,
            "id": s.example,
            "strata": ", ".join(f"{name} {value}" for name, value in sorted(s.strata.items())),
            "expected": s.answer,
            "prompts": [s.prompt, *s.paraphrases],
        }
        for s in shown(samples).values()
    ]


def answers(samples: Sequence[Sample], examples: Sequence[dict]) -> list[Answers]:
    """What a model answered to each of the examples, in their order."""
    own = shown(samples)
    found = (own.get((example["split"], example["id"])) for example in examples)
    return [None if sample is None else _answers_of(sample) for sample in found]


def _answers_of(sample: Sample) -> list[Answer]:
    texts = (sample.generation, *sample.paraphrase_generations)
    logprobs = (sample.logprobs, *sample.paraphrase_logprobs)
    return [
        (_cut(text), _rounded(probabilities), int(contains_answer(text, sample.answer, sample.aliases)))
        for text, probabilities in zip(texts, logprobs, strict=False)
    ]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _rounded(logprobs) -> float | None:
    return round(normalized_probability(logprobs), 3) if len(logprobs) else None
