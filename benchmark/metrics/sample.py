"""The outputs of one model on one example: the only input to metrics."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

FloatArray = np.ndarray
# Features: standardized log-probabilities; a stored score; an answer without a given beginning;
# generated text; the numbers of answers sampled at temperature 1.
STANDARDIZED, SCORED, WHOLE, GENERATED = "standardized", "scored", "whole", "generated"
SAMPLES = (1, 4, 16, 64)


def sampled(count: int) -> frozenset[str]:
    """The features of a prompt with `count` sampled answers: one for each k in SAMPLES up to
    `count`.
    """
    return frozenset(f"sampled{k}" for k in SAMPLES if k <= count)


@dataclass(frozen=True)
class Sample:
    """One model's outputs on one example. Log-probabilities are natural logarithms for the answer
    tokens, end token included, shape (T,).

    `stage` is the point in the cell at which the sample was taken (see `stages`), `split` the role
    of its split, `form` the answer form declared by the task ("" for items of another harness). The
    prompt fields are those of `core.examples.Example`. For texts, whose prompt is empty, the first
    token is not scored. `correct` marks the positions where the teacher-forced greedy token equals
    the answer's token. `paraphrase_*` belong to the held-out prompts; `perturbed_logprobs` score
    the wrong answers under the first held-out prompt. `continuations` are generated after the first
    `prefix_words` words of a text; `sampled` are answers sampled at temperature 1. `standardized`
    are the answer's log-probabilities minus the mean over the vocabulary, in standard deviations,
    (T,). `score` is the value from a measurement or from another harness; samples that have it have
    no other outputs.
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
        """The optional data that this sample has and that only some metrics need."""
        has = {
            STANDARDIZED: len(self.standardized),
            SCORED: self.score is not None,
            WHOLE: not self.answer_prefix,
            GENERATED: bool(self.generated),
        }
        return frozenset(name for name, present in has.items() if present) | sampled(
            len(self.sampled)
        )

    @property
    def generated(self) -> tuple[str, ...]:
        """The generated texts: a text's continuations, or else the `knowledge_generations`."""
        return self.continuations if self.form == "text" else self.knowledge_generations

    @property
    def knowledge_generations(self) -> tuple[str, ...]:
        """Generations for the held-out prompts, or for the training prompt if there are none."""
        return self.paraphrase_generations or (self.generation,)
