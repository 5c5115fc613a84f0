"""Tasks: versioned definitions of forget set, retain set and holdout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from benchmark.core.answer_form import Answers
from benchmark.core.examples import Example
from benchmark.core.task_data import TaskData


class Task:
    """Base class of tasks. A task provides data; the engine provides models, methods and scores.

    `sources` declares what the data are built from: a generated "world" or a pretrained "model"
    (see `source`). `answers` is the answer form: "name" (at most 20 words), "sentence", "choice"
    (multiple choice) or "text", for all splits or per split role; `data` passes it to
    `TaskData.of`, which checks it. `variants` are the names of the variants; a task with a single
    one has `("",)`. `max_new_tokens` limits generations; `samples` is the number of additional
    answers sampled at temperature 1 for each forget prompt. `budget_share` is the fraction of the
    track's steps available to each request. With `trajectory`, models are also scored at fixed
    fractions of the last request's budget. With `difficulty`, forget examples get two more strata
    in thirds: `memorization`, by their log-probability under the target, and `difficulty`, by their
    loss under the oracles. `asking` overrides fields of the track's `ComputeProfile` for this task.
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
    asking: ClassVar[Mapping[str, Any]] = {}

    def data(self, variant: str, source: Any) -> TaskData:
        """Splits, training documents and retain pool of a variant; a pure function of its
        arguments.
        """
        raise NotImplementedError(f"{type(self).__name__} must define data(variant, source)")

    def candidates(self) -> list[Example]:
        """The questions of the knowledge probe, if `data` depends on the model's knowledge."""
        return []
