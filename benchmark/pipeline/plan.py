"""What a plan consists of: cells, the jobs that produce them, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmark.errors import BadInput
from benchmark.pipeline.suite import Suite
from benchmark.pipeline.variant import Variant
from benchmark.records.frames import has_outputs
from benchmark.records.identity import Evaluation, Identity
from benchmark.records.schema import Record
from benchmark.records.store import ResultStore, read_record

POOL = "pool"  # the family of the models that metrics are judged by


@dataclass(frozen=True)
class Cell:
    """One unit of work, of caching and of resuming.

    `method` is a name or `path/to/file.py:Class`, `parameters` what a suite says of it. `recipes`
    are the stages that its record needs, with what is special about each.
    """

    identity: Identity
    method: str
    parameters: dict[str, Any]
    evaluation: Evaluation
    recipes: dict[str, dict[str, Any]]
    source: str
    target_id: str = ""
    oracle_ids: tuple[str, ...] = ()

    @cached_property
    def id(self) -> str:
        return self.identity.id

    @property
    def method_name(self) -> str:
        return self.identity.method.name

    @property
    def seed(self) -> int:
        return self.identity.seed

    @property
    def judges_metrics(self) -> bool:
        """Whether its model is one of a pool, whose trials keep the forget set's values alone: it
        is asked nothing else.
        """
        return self.identity.method.family == POOL

    @property
    def label(self) -> str:
        return f"{self.method_name} · {self.identity.variant} · seed {self.seed}"

    def shard_id(self, stage: str) -> str:
        """The id that outputs of a stage have; those on the way have no recipe of their own."""
        return self.evaluation.shard_id(self.id, stage, self.recipes.get(stage, {}))

    def path(self, results: ResultStore) -> Path:
        return results.path(self.identity)

    def is_done(self, results: ResultStore) -> bool:
        """Whether its record has every stage, and values compared with these references; what
        failed is tried again.
        """
        record = self._whole(results)
        compared = record.references if record else None
        return (
            compared is not None
            and compared.target == self.target_id
            and set(self.oracle_ids) <= set(compared.oracles)
        )

    def measured(self, results: ResultStore) -> Record | None:
        """Its record, if the outputs there are all that its values are made of, whatever they are
        compared with: no model is needed.
        """
        record = self._whole(results)
        return record if record and has_outputs(record) else None

    def _whole(self, results: ResultStore) -> Record | None:
        path = self.path(results)
        record = read_record(path) if path.is_file() else None
        return record if record and record.status == "ok" and not self.lacks(record) else None

    def lacking(self, results: ResultStore) -> tuple[str, ...]:
        """The stages that its record lacks; none without a record that has others."""
        path = self.path(results)
        record = read_record(path) if path.is_file() else None
        return tuple(self.lacks(record)) if record and has_outputs(record) else ()

    def lacks(self, record: Record) -> list[str]:
        """The stages that a record should have and does not have as they are made now."""
        return [stage for stage in self.recipes if not self.has(record, stage)]

    def has(self, record: Record, stage: str) -> bool:
        """Whether a record has a stage as it is made now."""
        return stage in record.shards and record.shards[stage].id == self.shard_id(stage)


@dataclass(frozen=True)
class Job:
    """Something a worker does: build a model, measure a reference, write the records of a
    variant's references, or run a cell."""

    id: str
    kind: str  # "base", "model", "reference", "references" or "cell"
    label: str
    needs: frozenset[str]
    variant: Variant
    cells: tuple[Cell, ...] = ()
    seed: int = 0
    unseen: int = 0  # of a model: the number of requests that it never sees anything of
    lacking: tuple[str, ...] = ()  # the stages that the cell's record lacks; empty without a record
    measured: bool = False  # whether the cell has all outputs and lacks values alone

    @property
    def runs_method(self) -> bool:
        """Whether a method runs in it."""
        return self.kind == "cell"


@dataclass(frozen=True)
class Plan:
    """What a suite asks for: every cell, those that have a record already, and the jobs for the
    rest.

    `missing` says of each variant that cannot be run here, because a model or a data set cannot be
    had, what it lacks, `sizes` of each other one how much it asks for, `untuned` which methods
    nobody has tuned for it. `unprobed` are the (task, track) pairs whose models have not been
    probed yet.
    """

    suite: Suite
    cells: tuple[Cell, ...]
    references: tuple[Cell, ...]
    cached: frozenset[str]
    jobs: tuple[Job, ...] = field(default=())
    missing: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    untuned: tuple[str, ...] = ()
    unprobed: tuple[tuple[str, str], ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(c.id for c in (*self.cells, *self.references))


def failures(plan: Plan, results: ResultStore) -> tuple[int, int]:
    """How many cells of the plan have an error record or lack a stage, and how many have no record
    at all.

    The latter never started, because a model that they need could not be trained.
    """
    cells = {c.id: c for c in (*plan.references, *plan.cells)}
    recorded = [cell for cell in cells.values() if cell.path(results).is_file()]
    failed = sum(not cell.is_done(results) for cell in recorded)
    return failed, len(cells) - len(recorded)


def require_finished(plan: Plan) -> None:
    """BadInput if cells of the plan have no record yet."""
    missing = [c for c in (*plan.references, *plan.cells) if c.id not in plan.cached]
    if missing:
        raise BadInput(
            f"suite {plan.suite.name}: {len(missing)} records are missing, first {missing[0].label}"
        )
