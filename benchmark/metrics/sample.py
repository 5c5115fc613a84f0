"""The outputs of one model on one example: all that metrics ever see."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

FloatArray = np.ndarray
# Features: log-probabilities in standard deviations; a score given elsewhere; an answer of which no
# beginning is given; so many answers drawn at temperature 1.
STANDARDIZED, SCORED, WHOLE = "standardized", "scored", "whole"
SAMPLES = (1, 4, 16, 64)


def sampled(count: int) -> frozenset[str]:
    """The features of a prompt to which so many answers were drawn: one for each of SAMPLES that
    they reach.
    """
    return frozenset(f"sampled{k}" for k in SAMPLES if k <= count)


@dataclass(frozen=True)
class Sample:
    """Log-probabilities are natural logarithms of the answer's tokens, end token included, shape
    (T,).

    `stage` says when in its cell the sample was taken (see `stages`), `split` is the role of its
    split, `form` the form of its answer, which the task declares ("" of another harness). What the
    model was asked is as in `core.examples.Example`. Of a text, whose prompt is
    empty, the tokens count from the second. `correct` says of each position whether the greedy
    token, teacher-forced, is the answer's. `paraphrase_*` belong to the held-out prompts;
    `perturbed_logprobs` are those of the wrong answers under the first of them. `continuations` are
    what is generated after the first `prefix_words` words of a text, `sampled` are answers drawn at
    temperature 1. `standardized` are the answer's log-probabilities less the mean over the
    vocabulary, in standard deviations, (T,). `score` is what another harness made of its own item,
    which has nothing else.
    """

    stage: str
    split: str
    example: str
    entity: str
    prompt: str
    answer: str
    logprobs: FloatArray
    correct: FloatArray
    generation: str
    form: str
    history: tuple[tuple[str, str], ...] = ()
    answer_prefix: str = ""
    strata: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    paraphrases: tuple[str, ...] = ()
    paraphrase_prefixes: tuple[str, ...] = ()
    paraphrase_logprobs: tuple[FloatArray, ...] = ()
    paraphrase_generations: tuple[str, ...] = ()
    perturbed: tuple[str, ...] = ()
    perturbed_logprobs: tuple[FloatArray, ...] = ()
    prefix_words: tuple[int, ...] = ()
    continuations: tuple[str, ...] = ()
    sampled: tuple[str, ...] = ()
    standardized: FloatArray = field(default_factory=lambda: np.zeros(0))
    score: float | None = None

    @property
    def features(self) -> frozenset[str]:
        """What it has that only some metrics need."""
        has = {
            STANDARDIZED: len(self.standardized),
            SCORED: self.score is not None,
            WHOLE: not self.answer_prefix,
        }
        return frozenset(name for name, present in has.items() if present) | sampled(
            len(self.sampled)
        )

    @property
    def knowledge_generations(self) -> tuple[str, ...]:
        """What was generated for the held-out prompts, or for the prompt where an example has
        none.
        """
        return self.paraphrase_generations or (self.generation,)
