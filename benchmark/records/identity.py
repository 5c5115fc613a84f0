"""The identity of a cell: all that changes its outcome, and only that.

A record holds it whole, so that its id and everything shown of a cell can be derived from it. Not
in it: commit, machine, time, threads, paths, the names of suites, and what is derived later: the
stages of its outputs, metrics, and the references that values are compared with.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from benchmark.core.hashing import fingerprint

# Raise one when the same cell would be trained, or asked and scored, differently; a test pins each
# to a digest of the code behind it.
TRAINING_VERSION, EVALUATION_VERSION = 1, 1
DEVELOPMENT_SUFFIX = "-dev"  # of tracks that are never scored
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
    """What a method may spend on each request."""

    steps: int
    batch_size: int


class Identity(Part):
    """`models` are the keys of the target, or of each model that a reference consists of;
    `settings` is what else models are made by: the prompt style, the version of their tuning.
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
        """`task/variant`, or `task` alone where a task has one variant of its own name."""
        return variant_name(self.task.name, self.task.variant)

    @property
    def is_reference(self) -> bool:
        return self.method.name in (TARGET, ORACLE)

    @property
    def is_trial(self) -> bool:
        """Whether it is a method's on a development track."""
        return self.track.endswith(DEVELOPMENT_SUFFIX) and not self.is_reference


class Evaluation(Part):
    """How the models of a cell are asked and scored: the settings of the generation, and the
    version of the code.
    """

    generation: dict[str, Any]
    version: int = EVALUATION_VERSION

    def shard_id(self, cell_id: str, stage: str, recipe: dict[str, Any]) -> str:
        """The id, 16 hex digits, of the outputs of a stage; `recipe` is what is special about it,
        as an attack's version and parameters.
        """
        return fingerprint([cell_id, stage, self.model_dump(mode="json"), recipe])


def variant_name(task: str, variant: str) -> str:
    """How a task variant is written: `frequency/low`; a task with a single unnamed variant is
    just its name.
    """
    return f"{task}/{variant}" if variant else task


def shown_variant(task: str, variant: str) -> str:
    """The written name of a variant in tables, where a task without named variants has the
    variant `all`.
    """
    return variant_name(task, "" if variant == "all" else variant)
