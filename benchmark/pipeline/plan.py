"""What a plan consists of: cells, the jobs that produce them, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.errors import BadInput
from benchmark.pipeline.suite import Suite
from benchmark.pipeline.variant import Variant
from benchmark.records.schema import variant_name
from benchmark.records.store import ResultStore, read_record


@dataclass(frozen=True)
class Cell:
    """One unit of work, of caching and of resuming; `method` is a name or
    `path/to/file.py:Class`.
    """

    id: str
    track: str
    task: str
    variant: str
    method: str
    method_name: str
    parameters: dict[str, Any]
    seed: int
    oracles: int
    source: str
    target_id: str
    oracle_ids: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"{self.method_name} · {variant_name(self.task, self.variant)} · seed {self.seed}"

    def path(self, results: ResultStore) -> Path:
        return results.path(self.track, self.task, self.variant, self.method_name, self.id)

    def is_done(self, results: ResultStore) -> bool:
        """Whether it has a record; what failed is tried again."""
        path = self.path(results)
        return path.is_file() and read_record(path).status == "ok"


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


@dataclass(frozen=True)
class Plan:
    """What a suite asks for: every cell, those that have a record already, and the jobs for the
    rest.

    `missing` says of each variant that cannot be run here, because a model or a data set cannot be
    had, what it lacks, `sizes` of each other one how much it asks for. `unprobed` are the (task,
    track) whose models nobody has asked yet.
    """

    suite: Suite
    cells: tuple[Cell, ...]
    references: tuple[Cell, ...]
    cached: frozenset[str]
    jobs: tuple[Job, ...] = field(default=())
    missing: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    unprobed: tuple[tuple[str, str], ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(c.id for c in (*self.cells, *self.references))


def require_finished(plan: Plan) -> None:
    """BadInput if cells of the plan have no record yet."""
    missing = [c for c in (*plan.references, *plan.cells) if c.id not in plan.cached]
    if missing:
        raise BadInput(
            f"suite {plan.suite.name}: {len(missing)} records are missing, first {missing[0].label}"
        )
