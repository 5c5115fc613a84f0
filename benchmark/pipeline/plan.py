"""The parts of a plan: cells, the jobs that produce them, and what is missing."""

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

POOL = "pool"  # the method family whose models metrics are judged by


@dataclass(frozen=True)
class Cell:
    """One unit of work, caching and resuming.

    `method` is a name or `path/to/file.py:Class`, `parameters` are those that the track and the
    suite set for it. `recipes` are the stages that its record needs, each with its specific
    settings.
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
        """Whether its model belongs to a pool. Trials of pools keep only values of the forget set,
        so the model is evaluated on the forget set and the holdout alone.
        """
        return self.identity.method.family == POOL

    @property
    def label(self) -> str:
        return f"{self.method_name} · {self.identity.variant} · seed {self.seed}"

    def shard_id(self, stage: str) -> str:
        """The id of a stage's outputs; stages of intermediate checkpoints have no recipe."""
        return self.evaluation.shard_id(self.id, stage, self.recipes.get(stage, {}))

    def path(self, results: ResultStore) -> Path:
        return results.path(self.identity)

    def is_done(self, results: ResultStore) -> bool:
        """Whether its record succeeded, has every stage, and compares its values with these
        references; failed cells are run again.
        """
        record = self._whole(results)
        compared = record.references if record else None
        return (
            compared is not None
            and compared.target == self.target_id
            and set(self.oracle_ids) <= set(compared.oracles)
        )

    def measured(self, results: ResultStore) -> Record | None:
        """Its record, if the stored outputs suffice to derive all its values again, whichever
        references they are compared with: no model is needed.
        """
        record = self._whole(results)
        return record if record and has_outputs(record) else None

    def _whole(self, results: ResultStore) -> Record | None:
        path = self.path(results)
        record = read_record(path) if path.is_file() else None
        return record if record and record.status == "ok" and not self.lacks(record) else None

    def lacking(self, results: ResultStore) -> tuple[str, ...]:
        """The stages that its record lacks; empty if there is no record with outputs."""
        path = self.path(results)
        record = read_record(path) if path.is_file() else None
        return tuple(self.lacks(record)) if record and has_outputs(record) else ()

    def lacks(self, record: Record) -> list[str]:
        """The stages that the cell needs and that a record does not have in their current form."""
        return [stage for stage in self.recipes if not self.has(record, stage)]

    def has(self, record: Record, stage: str) -> bool:
        """Whether a record has a stage in its current form."""
        return stage in record.shards and record.shards[stage].id == self.shard_id(stage)


@dataclass(frozen=True)
class Job:
    """A unit of work for a worker: build a model, measure a reference, write the records of a
    variant's references, or run a cell.
    """

    id: str
    kind: str  # "base", "model", "reference", "references" or "cell"
    label: str
    needs: frozenset[str]
    variant: Variant
    cells: tuple[Cell, ...] = ()
    seed: int = 0
    unseen: int = 0  # for a model: the number of requests that it never sees
    lacking: tuple[str, ...] = ()  # the stages that the cell's record lacks; empty without a record
    measured: bool = False  # whether the cell has all outputs and lacks only values

    @property
    def runs_method(self) -> bool:
        """Whether the job runs a method."""
        return self.kind == "cell"


@dataclass(frozen=True)
class Plan:
    """The plan of a suite: every cell, the cells that are done already (`cached`), and the jobs for
    the rest.

    `missing` states, for each variant that cannot run here, which model or data set it lacks;
    `sizes` describes the size of each other variant, and `untuned` the methods that have not been
    tuned for it. `unprobed` are the (task, track) pairs whose models have not been probed yet.
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
    """The numbers of cells of the plan whose record is an error or incomplete, and of cells without
    any record.

    The latter never started, because a model that they need could not be trained.
    """
    cells = {c.id: c for c in (*plan.references, *plan.cells)}
    recorded = [cell for cell in cells.values() if cell.path(results).is_file()]
    failed = sum(not cell.is_done(results) for cell in recorded)
    return failed, len(cells) - len(recorded)


def require_finished(plan: Plan) -> None:
    """BadInput if cells of the plan are not done yet."""
    missing = [c for c in (*plan.references, *plan.cells) if c.id not in plan.cached]
    if missing:
        raise BadInput(
            f"suite {plan.suite.name}: {len(missing)} records are missing, first {missing[0].label}"
        )
