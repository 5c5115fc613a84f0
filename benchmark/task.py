"""What a task is: a versioned definition of what is to be forgotten, retained and held out."""

from __future__ import annotations

from typing import Any, ClassVar

from benchmark.data import TaskData


class Task:
    """Base of all tasks. A task makes data from a world; models, methods and scores are the engine's.

    `variants` are its forget request families; a task with one writes `("",)`. `budget_share` is the share of the
    track's steps that each request has. With `course`, models are also scored on the way, at fixed shares of the budget
    of the last request. With `degrees`, forget examples get two more strata in
    thirds: `memorization`, by their probability under the target, and `difficulty`, by their loss under the oracles.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    variants: ClassVar[tuple[str, ...]] = ("",)
    budget_share: ClassVar[float] = 1.0
    course: ClassVar[bool] = False
    degrees: ClassVar[bool] = False

    def data(self, variant: str, world: Any) -> TaskData:
        """Splits, training documents and retain pool of a variant; a pure function of its arguments."""
        raise NotImplementedError(f"{type(self).__name__} must define data(variant, world)")
