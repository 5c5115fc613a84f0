"""Examines a subject on examples: every probability and every continuation that any metric needs, in two passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.data import Example, Pair
from benchmark.evaluation.scoring import AnswerScores
from benchmark.evaluation.subjects import Subject
from benchmark.metrics.sample import Sample
from benchmark.records.samples import rounded


def _pairs(example: Example) -> list[Pair]:
    """All (prompt, answer) pairs to be scored: as trained, paraphrased, and wrong answers to the first paraphrase."""
    pairs = [Pair(prompt, example.answer) for prompt in (example.prompt, *example.paraphrases)]
    return pairs + [Pair(p, wrong) for p in example.paraphrases[:1] for wrong in example.perturbed]


def examine(subject: Subject, splits: Mapping[str, Sequence[Example]], stage: str) -> list[Sample]:
    """Samples of all splits, in order; log-probabilities are rounded as they will be stored."""
    examples = [example for split in splits.values() for example in split]
    scores = subject.score([pair for example in examples for pair in _pairs(example)])
    texts = subject.generate([prompt for e in examples for prompt in (e.prompt, *e.paraphrases)])
    return [_sample(stage, split, e, scores, texts) for split, rows in splits.items() for e in rows]


def _sample(
    stage: str, split: str, example: Example, scores: Mapping[Pair, AnswerScores], texts: Mapping[str, str]
) -> Sample:
    own = scores[Pair(example.prompt, example.answer)]
    reworded = [scores[Pair(prompt, example.answer)] for prompt in example.paraphrases]
    wrong = [scores[Pair(p, text)] for p in example.paraphrases[:1] for text in example.perturbed]
    return Sample(
        stage=stage,
        split=split,
        example=example.id,
        entity=example.entity,
        prompt=example.prompt,
        answer=example.answer,
        logprobs=rounded(own.logprobs),
        correct=own.correct,
        generation=texts[example.prompt],
        strata=example.strata,
        aliases=example.aliases,
        paraphrases=example.paraphrases,
        paraphrase_logprobs=tuple(rounded(s.logprobs) for s in reworded),
        paraphrase_generations=tuple(texts[p] for p in example.paraphrases),
        perturbed=example.perturbed,
        perturbed_logprobs=tuple(rounded(s.logprobs) for s in wrong),
    )
