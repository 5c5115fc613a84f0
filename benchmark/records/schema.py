"""The record: the immutable JSON result of one cell."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 2
DEVELOPMENT_SUFFIX = "-dev"  # of tracks that are never scored
TARGET, ORACLE = "target", "oracle"  # reserved method names: the two references of every variant


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class TaskInfo(Part):
    name: str
    version: int
    variant: str
    data_fingerprint: str


class ModelInfo(Part):
    """The model that the cell started from, and how it was made."""

    fingerprint: str
    made: dict[str, Any]


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


class References(Part):
    """Ids of the records of the target and of the oracles that the values are to be compared with.

    With `proxy` the oracles are no models that never saw the forgotten, but the target asked about
    what never existed.
    """

    target: str
    oracles: list[str]
    proxy: bool = False


class MetricValue(Part):
    """A value with its unit and direction; `stratum` is "all" or "name=value"."""

    stage: str
    split: str
    metric: str
    version: int
    stratum: str
    value: float
    n_scored: int
    n_failed: int
    better: Literal["higher", "lower", "oracle"]
    unit: str


class SamplesInfo(Part):
    file: str
    sha256: str
    rows: int


class Cost(Part):
    """What the method spent: steps, tokens trained on, and seconds by stage."""

    steps: int
    tokens: int
    seconds: dict[str, float]


class Provenance(Part):
    """Where and with what the cell ran; nothing here is part of its identity."""

    created: str
    commit: str
    dirty: bool
    packages: dict[str, str]
    python: str
    platform: str
    cpu: str
    gpu: str
    threads: int
    precision: str
    generation: dict[str, Any]
    cost: Cost


class Failure(Part):
    """Why a cell has no values: the exception's type and the last line of its traceback."""

    type: str
    message: str
    traceback: str


class Record(Part):
    schema_version: int
    id: str
    status: Literal["ok", "error"]
    track: str
    task: TaskInfo
    model: ModelInfo | None
    method: MethodInfo
    seed: int
    budget: BudgetInfo
    references: References | None
    values: list[MetricValue]
    samples: SamplesInfo | None
    provenance: Provenance | None
    error: Failure | None

    @property
    def variant(self) -> str:
        """`task/variant`, or `task` alone where a task has one variant of its own name."""
        return variant_name(self.task.name, self.task.variant)


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
