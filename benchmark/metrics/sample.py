"""The outputs of one model on one example: all that metrics ever see."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

FloatArray = np.ndarray


@dataclass(frozen=True)
class Sample:
    """Log-probabilities are natural logarithms of the answer's tokens, end token included, shape (T,).

    `stage` says when in its cell the sample was taken (see `stages`). Of a text, whose prompt is empty, the tokens
    count from the second. `correct` says of each position whether the greedy token, teacher-forced, is the answer's.
    `paraphrase_*` belong to the held-out prompts; `perturbed_logprobs` are those of the wrong answers under the first
    of them. `continuations` are what is generated after the first `prefix_words` words of a text.
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
    strata: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    paraphrases: tuple[str, ...] = ()
    paraphrase_logprobs: tuple[FloatArray, ...] = ()
    paraphrase_generations: tuple[str, ...] = ()
    perturbed: tuple[str, ...] = ()
    perturbed_logprobs: tuple[FloatArray, ...] = ()
    prefix_words: tuple[int, ...] = ()
    continuations: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """ "question" or, where the prompt is empty, "text"."""
        return "question" if self.prompt else "text"

    @property
    def knowledge_generations(self) -> tuple[str, ...]:
        """What was generated for the held-out prompts, or for the prompt where an example has none."""
        return self.paraphrase_generations or (self.generation,)
