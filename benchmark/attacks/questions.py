"""Attacks with questions from the task, which has the knowledge of the world that they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import PositiveInt

from benchmark.attacks.asking import reasked
from benchmark.core.attack import Attack
from benchmark.core.examples import Example, Question
from benchmark.core.registry import register_attack


class Probing(Attack):
    """Base: asks each example's probe of the attack's name, in a new conversation."""

    asks = True

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        found = ((example, example.probes.get(self.name)) for example in forget)
        return [self._probe(example, question) for example, question in found if question]

    def _probe(self, example: Example, question: Question) -> Example:
        asked = reasked(replace(example, history=()), self.name, question.prompt)
        return replace(asked, **vars(question), choices=())


@register_attack("reverse", version=1, source="Berglund et al. 2024 (The Reversal Curse)")
class Reverse(Probing):
    """Asks for the subject given the answer. Answers shared by several subjects are excluded."""


@register_attack("indirect", version=1, source="Zhong et al. 2023 (MQuAKE)")
class Indirect(Probing):
    """Asks a two-hop question about a known property of the answer, such as the region of a
    person's birthplace.
    """


@register_attack("summary", version=1, source="K-Bench 2026 (elicited summary)")
class Summary(Probing):
    """Asks the model to write down everything it knows about the subject, in up to
    `max_new_tokens` tokens; a fact counts as known if its answer occurs in the text.
    """

    max_new_tokens: PositiveInt

    def generation(self, settings: Any) -> Any:
        return replace(settings, max_new_tokens=self.max_new_tokens)
