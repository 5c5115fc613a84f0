"""What a task is: a versioned definition of what is to be forgotten, retained and held out."""

from __future__ import annotations

from typing import Any, ClassVar

from benchmark.core.answer_form import Answers
from benchmark.core.examples import Example
from benchmark.core.task_data import TaskData


class Task:
    """Base of all tasks. A task makes data from a world; models, methods and scores are the
    engine's.

    `sources` are what it makes its data from: a generated "world" or a pretrained "model" (see
    `source`). `answers` is the form of the answers: "name" (at most a few words), "sentence",
    "choice" (of several given ones) or "text", for all splits or for each by its role; `data` hands
    it to `TaskData.of`, which checks it. `variants` are its forget request families; a task with
    one writes `("",)`. `max_new_tokens` bounds an answer, `samples` is how many answers to each
    forget prompt are also drawn at temperature 1. `budget_share` is the share of the track's steps
    that each request has. With `trajectory`, models are also scored at fixed shares of the budget
    of the last request.
    With `difficulty`, forget examples get two more strata in thirds: `memorization`, by their
    probability under the target, and `difficulty`, by their loss under the oracles.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    sources: ClassVar[frozenset[str]] = frozenset({"world"})
    answers: ClassVar[Answers]
    variants: ClassVar[tuple[str, ...]] = ("",)
    budget_share: ClassVar[float] = 1.0
    max_new_tokens: ClassVar[int] = 10
    samples: ClassVar[int] = 0
    trajectory: ClassVar[bool] = False
    difficulty: ClassVar[bool] = False

    def data(self, variant: str, source: Any) -> TaskData:
        """Splits, training documents and retain pool of a variant; a pure function of its
        arguments.
        """
        raise NotImplementedError(f"{type(self).__name__} must define data(variant, source)")

    def candidates(self) -> list[Example]:
        """What a pretrained model is asked to find out what it knows, where `data` depends on
        that.
        """
        return []
