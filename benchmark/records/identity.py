"""The identity of a cell: everything that affects its outcome, and nothing else.

Records store the whole identity; the id and everything displayed about a cell are derived from it.
It excludes commit, machine, time, threads, paths, suite names, and everything derived later: stages
of outputs, metrics, and the references that values are compared with.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from benchmark.core.hashing import fingerprint

# Increment a version when the same cell would be trained or evaluated differently; a test pins each
# to a digest of the code that it covers.
TRAINING_VERSION, EVALUATION_VERSION = 1, 1
DEVELOPMENT_SUFFIX = "-dev"  # of development tracks, which are never ranked
TUNED = "learning_rate"  # the parameter that trials choose
STUDY_PREFIX = "study-"  # of tracks that are not part of the leaderboard
TARGET, ORACLE = "target", "oracle"  # reserved method names: the two references of every variant


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class TaskInfo(Part):
    name: str
    version: int
    variant: str
    data_fingerprint: str


class MethodInfo(Part):
    name: str
    reference: str
    family: str
    sees: list[str]
    anchor: bool
    source_hash: str
    parameters: dict[str, Any]


class BudgetInfo(Part):
    """The budget of a method for each request."""

    steps: int
    batch_size: int


class Identity(Part):
    """The identity of a cell.

    `models` are the keys of the model that a method starts from, or of a reference's models (an
    oracle may have one per request); `settings` are other settings that affect models, such as the
    prompt style and the tuning version.
    """

    track: str
    task: TaskInfo
    models: list[str]
    method: MethodInfo
    seed: int
    budget: BudgetInfo
    precision: str
    settings: dict[str, Any]
    training: int = TRAINING_VERSION

    @property
    def id(self) -> str:
        """16 hex digits."""
        return fingerprint(self.model_dump(mode="json"))

    @property
    def variant(self) -> str:
        """`task/variant`, or `task` alone if the task has a single unnamed variant."""
        return variant_name(self.task.name, self.task.variant)

    @property
    def is_reference(self) -> bool:
        return self.method.name in (TARGET, ORACLE)

    @property
    def is_trial(self) -> bool:
        """Whether the cell is a method's on a development track."""
        return self.track.endswith(DEVELOPMENT_SUFFIX) and not self.is_reference


class Evaluation(Part):
    """How a cell's models are evaluated: the generation settings and the code version."""

    generation: dict[str, Any]
    version: int = EVALUATION_VERSION

    def shard_id(self, cell_id: str, stage: str, recipe: dict[str, Any]) -> str:
        """The id of a stage's outputs, 16 hex digits; `recipe` is specific to the stage, e.g. an
        attack's version and parameters.
        """
        return fingerprint([cell_id, stage, self.model_dump(mode="json"), recipe])


def variant_name(task: str, variant: str) -> str:
    """The written name of a task variant: `frequency/low`, or the task's name alone if its single
    variant is unnamed.
    """
    return f"{task}/{variant}" if variant else task


def shown_variant(task: str, variant: str) -> str:
    """The written name of a variant from tables, which give an unnamed variant the name `all`."""
    return variant_name(task, "" if variant == "all" else variant)
