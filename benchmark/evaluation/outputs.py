"""Evaluates a predictor on examples: computes all log-probabilities and continuations that the
metrics need, in two passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.core.examples import Example, Pair, Prompt, pair_of
from benchmark.core.words import pieces
from benchmark.inference.predictors import Predictor
from benchmark.inference.scoring import AnswerScores
from benchmark.inference.settings import PREFIX_STRIDE, GenerationSettings
from benchmark.metrics.base import MEMBERSHIP_HOLDOUT
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import MODEL_STAGE, ON_THE_WAY, sort_of
from benchmark.records.outputs import rounded

SHORTEST_REST = 3  # words that must remain after a prefix


def pairs_of(example: Example) -> list[Pair]:
    """All (prompt, answer) pairs to score: the pair as trained, its held-out wordings, and wrong
    answers to the first wording.
    """
    return [example.pair, *_reworded(example), *_wrong(example)]


def _reworded(example: Example) -> list[Pair]:
    """Held-out wordings; without any, the pair itself if it has wrong answers to be compared
    with.
    """
    return example.wordings or ([example.pair] if example.wrong else [])


def _wrong(example: Example) -> list[Pair]:
    return [pair_of(_reworded(example)[0].asked, answer) for answer in example.wrong]


def prompts_of(example: Example) -> tuple[Prompt, ...]:
    """The prompts to answer: as trained and as paraphrased; a text has none."""
    return () if example.is_text else (example.pair.asked, *example.reasked)


def prefixes(example: Example) -> dict[int, str]:
    """Prefixes of a text, with whitespace collapsed, by their number of `pieces`; none for a
    question.
    """
    words = pieces(" ".join(example.answer.split())) if example.is_text else []
    return {
        n: "".join(words[:n]).rstrip()
        for n in range(PREFIX_STRIDE, len(words) - SHORTEST_REST + 1, PREFIX_STRIDE)
    }


@dataclass(frozen=True)
class Said:
    """A model's generations: greedy answers by prompt, continuations by the text that they follow,
    and answers sampled at temperature 1, by prompt.
    """

    answers: Mapping[Prompt, str]
    continuations: Mapping[str, str]
    drawn: Mapping[Prompt, tuple[str, ...]]


def examine(
    predictor: Predictor,
    splits: Mapping[str, Sequence[Example]],
    stage: str,
    settings: GenerationSettings,
) -> list[Sample]:
    """Samples of all splits, in order; log-probabilities are rounded as they will be stored.

    Nothing is generated for the membership holdout. Forget texts are continued only for the final
    model, since that is the most expensive part.
    """
    scores = predictor.score(
        [pair for split in splits.values() for example in split for pair in pairs_of(example)]
    )
    asked = [e for name, split in splits.items() if name != MEMBERSHIP_HOLDOUT for e in split]
    forgotten = (
        [e.pair.asked for e in splits.get("forget", ())]
        if settings.samples and sort_of(stage) not in ON_THE_WAY
        else []
    )
    drawn = (
        predictor.sample(forgotten, settings.max_new_tokens, settings.samples) if forgotten else {}
    )
    answers = predictor.generate(
        [prompt for e in asked for prompt in prompts_of(e)], settings.max_new_tokens
    )
    begun = (
        [text for e in splits.get("forget", ()) for text in prefixes(e).values()]
        if stage == MODEL_STAGE
        else []
    )
    said = Said(answers, predictor.go_on(begun, settings.continuation_tokens), drawn)
    return [_sample(stage, split, e, scores, said) for split, rows in splits.items() for e in rows]


def scored_alone(
    predictor: Predictor, splits: Mapping[str, Sequence[Example]], stage: str
) -> list[Sample]:
    """Samples of all splits with the scores of the answers as trained, and nothing else."""
    scores = predictor.score([example.pair for rows in splits.values() for example in rows])
    return [
        _scored_sample(stage, split, example, scores[example.pair])
        for split, rows in splits.items()
        for example in rows
    ]


def _scored_sample(stage: str, split: str, example: Example, scored: AnswerScores) -> Sample:
    return replace(
        measured_sample(stage, split, example, None),
        logprobs=rounded(scored.logprobs),
        correct=scored.correct,
        standardized=rounded(scored.standardized),
    )


def _sample(
    stage: str,
    split: str,
    example: Example,
    scores: Mapping[Pair, AnswerScores],
    said: Said,
) -> Sample:
    prompt = example.pair.asked
    reworded = [scores[pair] for pair in _reworded(example)]
    wrong = [scores[pair] for pair in _wrong(example)]
    begun = {n: text for n, text in prefixes(example).items() if text in said.continuations}
    return replace(
        _scored_sample(stage, split, example, scores[example.pair]),
        generation=said.answers.get(prompt, ""),
        paraphrase_logprobs=tuple(rounded(s.logprobs) for s in reworded),
        paraphrase_generations=tuple(said.answers[p] for p in example.reasked if p in said.answers),
        perturbed_logprobs=tuple(rounded(s.logprobs) for s in wrong),
        prefix_words=tuple(begun),
        continuations=tuple(said.continuations[text] for text in begun.values()),
        sampled=said.drawn.get(prompt, ()) if split == "forget" else (),
    )


def measured_sample(stage: str, split: str, example: Example, value: float | None) -> Sample:
    """A sample of an example with only `score` set, without log-probabilities or generations."""
    return Sample(
        stage=stage,
        split=split,
        example=example.id,
        entity=example.entity,
        prompt=example.prompt,
        answer=example.answer,
        logprobs=np.zeros(0),
        correct=np.zeros(0, dtype=bool),
        generation="",
        form=example.form,
        history=example.history,
        answer_prefix=example.answer_prefix,
        strata=example.strata,
        aliases=example.aliases,
        paraphrases=example.paraphrases,
        paraphrase_prefixes=example.paraphrase_prefixes,
        perturbed=example.wrong,
        score=value,
    )
