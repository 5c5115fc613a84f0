"""Replay: recomputes a published cell from its identity and compares it with its record.

This detects outputs that were forged together with everything derived from them, and an engine
whose behavior has changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput
from benchmark.metrics.stages import HARNESS, recorded_stage
from benchmark.models.tracks import track_named
from benchmark.pipeline.execute import execute
from benchmark.pipeline.plan import Cell, Plan
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.suite import MethodEntry, Suite
from benchmark.pipeline.variant import TARGET_SEED
from benchmark.records.identity import ORACLE, Identity, variant_name
from benchmark.records.schema import Record
from benchmark.records.store import ResultStore, copy_record, read_record

TOLERANCE = 0.05  # per value: rounding differs between processors, and training propagates it


@dataclass(frozen=True)
class Replayed:
    """A record and its recomputation, which leaves out attacks that have changed."""

    record: Record
    fresh: Record

    @property
    def changed_attacks(self) -> list[str]:
        """The attacks of the record that have since been changed or removed."""
        return [stage for stage in self.record.shards if stage not in self.fresh.shards]

    @property
    def same_stages(self) -> list[str]:
        """The stages whose outputs are identical to the last digit."""
        shards = self.record.shards
        fresh = self.fresh.shards
        return [s for s in shards if s in fresh and shards[s].digest == fresh[s].digest]

    @property
    def differences(self) -> dict[str, float]:
        """The absolute difference of each value of the recomputed stages; infinite where only one
        of the two records has a value.
        """
        one, other = (self._compared(record) for record in (self.record, self.fresh))
        return {name: _apart(one.get(name), other.get(name)) for name in sorted(one.keys() | other)}

    def _compared(self, record: Record) -> dict[str, float]:
        """The values of the recomputed stages, by name."""
        return {
            f"{v.stage}/{v.split}/{v.metric}/{v.stratum}": v.value
            for v in record.value_rows()
            if recorded_stage(v.stage, v.split) not in self.changed_attacks
        }

    @property
    def holds(self) -> bool:
        """Whether every difference is within the tolerance."""
        return all(apart <= TOLERANCE for apart in self.differences.values())

    @property
    def identical(self) -> bool:
        """Whether every recorded stage has identical outputs and every value holds."""
        return self.holds and len(self.same_stages) == len(self.record.shards)


def _apart(one: float | None, other: float | None) -> float:
    if one is None or other is None or math.isnan(one) != math.isnan(other):
        return math.inf
    return 0.0 if math.isnan(one) else abs(one - other)


def replay(record: Record, results: ResultStore, inputs: Inputs, folder: Path) -> Replayed:
    """Recomputes the cell of a record and writes the new record to `folder`, which must be empty.

    A method is run again even if its unlearned model was kept, which stays as it is; the records of
    its references, and trained models in the artifact store, are used as they are. Attacks that
    have changed since are left out. BadInput if the cell now has another identity, cannot be run
    here, or failed.
    """
    out = ResultStore(folder)
    planner = Planner(inputs, out)
    known = [attack.name for attack in track_named(record.identity.track).attacks]
    seeds = [TARGET_SEED if record.method.name == ORACLE else record.seed]
    plan = planner.plan(_suite_of(record, known), seeds)
    cell = _same_cell(record, plan)
    if not record.identity.is_reference:
        for path in (reference.path(results) for reference in plan.references):
            if path.is_file():
                copy_record(path, results, out)
    current = [stage for stage in record.shards if cell.has(record, stage)]
    plan = planner.plan(_suite_of(record, current), seeds)
    jobs = [job for job in plan.jobs if not (job.kind == "cell" and record.identity.is_reference)]
    threads = record.provenance.threads
    with TemporaryDirectory(prefix="palimpsest-") as name:
        context = RunContext(inputs, folder, force=True, threads=threads, workplace=Path(name))
        for job in jobs:
            if (message := execute(job, context)) != "ok":
                raise BadInput(f"{record.id}: {job.label} failed: {message}")
    return Replayed(record, read_record(out.path(record.identity)))


def _suite_of(record: Record, stages: Sequence[str]) -> Suite:
    """The smallest suite that contains the record's cell, with those of its attacks that are among
    `stages`.
    """
    identity, references = record.identity, record.references
    assert references is not None
    method = "none" if identity.is_reference else identity.method.name
    parameters = {} if identity.is_reference else identity.method.parameters
    harness = record.shards.get(HARNESS)
    return Suite(
        name="replay",
        description=f"the cell of record {record.id}",
        tracks=[identity.track],
        tasks=[variant_name(identity.task.name, identity.task.variant)],
        methods=[MethodEntry(name=method, parameters=parameters)],
        oracles=len(references.oracles),
        backend=record.evaluation.generation["backend"],
        precision=identity.precision,  # type: ignore[arg-type]  # pydantic checks it
        harness=harness.recipe["group"] if harness else None,
        attacks=[s for s, shard in record.shards.items() if "name" in shard.recipe and s in stages],
    )


def _same_cell(record: Record, plan: Plan) -> Cell:
    cells: dict[str, Cell] = {cell.id: cell for cell in (*plan.references, *plan.cells)}
    if record.id in cells:
        return cells[record.id]
    if plan.missing:
        raise BadInput(f"{record.id}: cannot be rerun here: {plan.missing[0]}")
    same = [c for c in cells.values() if c.method_name == record.method.name]
    now = next(c.identity for c in same if c.seed == record.seed)
    raise BadInput(f"{record.id}: this cell has changed: {_difference(record.identity, now)}")


def _difference(was: Identity, now: Identity) -> str:
    """The first field that differs, with its old and its new value."""
    before, after = (identity.model_dump(mode="json") for identity in (was, now))
    for name, value in before.items():
        if value != after[name]:
            if not isinstance(value, dict):
                return f"{name} was {value}, is {after[name]}"
            inner = next(
                n for n in value.keys() | after[name] if value.get(n) != after[name].get(n)
            )
            return f"{name}.{inner} was {value.get(inner)}, is {after[name].get(inner)}"
    return "nothing differs"
