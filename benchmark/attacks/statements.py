"""Whether a model tells true statements from false ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import PositiveInt

from benchmark.attacks.asking import reasked
from benchmark.core.attack import Attack
from benchmark.core.examples import Example, Turn
from benchmark.core.registry import register_attack

VERDICTS = {True: "True", False: "False"}


def statement(example: Example, answer: str) -> str:
    """A question with an answer to it, to be judged."""
    answer = " ".join(filter(None, (example.answer_prefix, answer)))
    return f"{example.prompt} {answer}\nTrue or False?"


@register_attack("true_false", version=1, source="Lynch et al. 2024; Hendrycks et al. 2021 (MMLU)")
class TrueFalse(Attack):
    """Asks whether an answer is true: once with the right and once with a wrong one, after `shots`
    statements about other entities, of which every second is false. Who always says True gets half
    of it right.
    """

    asks = True
    shots: PositiveInt = 4

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        judged = [example for example in forget if not example.is_text and example.wrong]
        return [
            asked
            for number, example in enumerate(judged)
            for asked in self._statements(example, [*judged[number + 1 :], *judged[:number]])
        ]

    def _statements(self, example: Example, others: Sequence[Example]) -> Iterator[Example]:
        shown = [other for other in others if other.entity != example.entity][: self.shots]
        history = [
            turn
            for number, other in enumerate(shown)
            for turn in self._turns(other, true=number % 2 == 0)
        ]
        for true, verdict in VERDICTS.items():
            answer = example.answer if true else example.wrong[0]
            asked = reasked(
                replace(example, history=()),
                f"{self.name}{1 if true else 2}",
                statement(example, answer),
                history,
            )
            yield replace(
                asked,
                answer=verdict,
                answer_prefix="",
                perturbed=(VERDICTS[not true],),
                aliases=(),
                choices=(),
                form="choice",
            )

    @staticmethod
    def _turns(example: Example, true: bool) -> list[Turn]:
        answer = example.answer if true else example.wrong[0]
        return [("user", statement(example, answer)), ("assistant", VERDICTS[true])]
