"""Executes jobs in a worker process; any failure of a cell becomes an error record."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Sequence
from pathlib import Path

import torch
from filelock import FileLock

from benchmark.core.registry import imported_method, method_named
from benchmark.models import models_of
from benchmark.pipeline.author_errors import author_line
from benchmark.pipeline.checkpoints import Checkpoints
from benchmark.pipeline.measure import (
    measure_cell,
    measure_reference,
    unlearn_cell,
    write_references,
)
from benchmark.pipeline.plan import Cell, Job
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.stages import StoredStages
from benchmark.pipeline.variant import Variant
from benchmark.pipeline.write_record import write_failure
from benchmark.records.provenance import PROJECT
from benchmark.records.schema import Failure
from benchmark.runtime.processors import threads_here
from benchmark.training.group import together


def execute(job: Job, context: RunContext) -> str:
    """Runs a whole job in this process; returns "ok", or the error that was recorded."""
    message = run_method(job, context)
    return message if message != "ok" else make(job, context)


def run_method(job: Job, context: RunContext) -> str:
    """Runs the first half of a cell's job: its method unlearns, and the result is stored. Other
    jobs have no first half.

    An executor calls this in a process that does nothing else, so that no method can tamper with
    its evaluation.
    """
    if not job.runs_method:
        return "ok"
    _reset_torch(context.threads)
    cell, variant = job.cells[0], job.variant
    checkpoints, stages = _stored(cell, variant, context)
    if context.force:
        checkpoints.clear()
        stages.clear()
    message = _recorded(
        (cell,), variant, context, lambda: _unlearn_together(cell, variant, context)
    )
    if message != "ok":
        checkpoints.clear()
        stages.clear()
    return message


def _unlearn_together(cell: Cell, variant: Variant, context: RunContext) -> None:
    # Retrained models go to the store, and processes of a group must not wait for its locks.
    retrains = "training" in method_named(cell.method).sees
    processes = 1 if retrains else variant.track.updates.processes
    together(processes, _unlearn, cell, variant, context)


def _unlearn(cell: Cell, variant: Variant, context: RunContext) -> None:
    checkpoints, _ = _stored(cell, variant, context)
    unlearn_cell(cell, variant, context, checkpoints)


def make(job: Job, context: RunContext) -> str:
    """Runs a job, or the second half of a cell's job; returns "ok", or the error that was recorded.
    Errors in building models are raised.
    """
    variant = job.variant
    models = models_of(variant.track, context.inputs)
    _reset_torch(context.threads)
    if job.kind == "base":
        models.base()
    elif job.kind == "model":
        models.trained(variant.documents(job.unseen), job.seed)
    elif job.kind == "reference":
        return _reference(job.cells[0], variant, context)
    elif job.kind == "references":
        return _references(job.cells, variant, context)
    else:
        return _cell(job.cells[0], variant, context)
    return "ok"


def _reference(cell: Cell, variant: Variant, context: RunContext) -> str:
    """Measures a target or an oracle; its record is written later, with those of the other
    references.
    """
    if context.force:
        StoredStages(context.store, cell).clear()
    return _recorded((cell,), variant, context, lambda: measure_reference(cell, variant, context))


def _references(cells: Sequence[Cell], variant: Variant, context: RunContext) -> str:
    message = _recorded(cells, variant, context, lambda: write_references(cells, variant, context))
    for cell in cells:
        StoredStages(context.store, cell).clear()
    return message


def _cell(cell: Cell, variant: Variant, context: RunContext) -> str:
    checkpoints, stages = _stored(cell, variant, context)
    message = _recorded(
        (cell,),
        variant,
        context,
        lambda: measure_cell(cell, variant, context, checkpoints, stages),
    )
    if message != "ok" or not context.keep_models:
        checkpoints.clear()
    stages.clear()
    return message


def _stored(cell: Cell, variant: Variant, context: RunContext) -> tuple[Checkpoints, StoredStages]:
    """What is stored for a cell until its record is written."""
    # Intermediate samples made with other evaluation settings do not belong to this run.
    key = f"{cell.id}-{cell.shard_id('on the way')}"
    models = models_of(variant.track, context.inputs)
    return Checkpoints(context.store, key, models.load_model), StoredStages(context.store, cell)


def _reset_torch(threads: int) -> None:
    """Undoes process-wide torch settings that an earlier job's method may have changed."""
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.set_num_threads(threads_here(threads))


def _recorded(cells: Sequence[Cell], variant: Variant, context: RunContext, measure) -> str:
    """Runs `measure`, which writes the records of `cells`; any exception becomes their error
    records.
    """
    lock = context.inputs.home / "locks" / f"{cells[0].id}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(lock)):
        if not context.force and all(cell.is_done(context.results) for cell in cells):
            return "ok"
        try:
            measure()
        except KeyboardInterrupt:  # only outside a worker, which ignores it
            raise
        except BaseException as error:  # even an exit() is the cell's result; the run continues
            if not context.force and all(cell.is_done(context.results) for cell in cells):
                return "ok"  # another run has finished them and cleared what this one was reading
            message = author_line(error, _file_of(cells[0]))
            failure = Failure(type=type(error).__name__, message=message, traceback=_traceback())
            write_failure(cells, failure, context, proxy=bool(variant.data.proxies))
            return failure.message
    return "ok"


def _traceback() -> str:
    """The traceback of the current exception, without this machine's paths."""
    return traceback.format_exc().replace(f"{PROJECT}/", "").replace(f"{Path.home()}/", "~/")


def _file_of(cell: Cell) -> Path | None:
    """The file of the cell's method, if this process has imported it; references have none."""
    if cell.identity.is_reference:
        return None
    cls = imported_method(cell.method)
    return Path(inspect.getfile(cls)) if cls else None
