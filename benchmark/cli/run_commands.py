"""Commands that plan and run a suite."""

from __future__ import annotations

import typer
from rich.table import Table

from benchmark.cli.groups import DataSources, Execution, Selection, Spread, grouped
from benchmark.cli.options import RESULTS
from benchmark.cli.selection import estimates_of, inputs_of, part_of, planned_of
from benchmark.cli.terminal import app, console, errors, plainly


@app.command()
@plainly
@grouped
def plan(chosen: Selection, data: DataSources, execution: Execution, spread: Spread) -> None:
    """Shows a suite's cells (a method on one variant of a task with one seed), which of them are
    cached, and the estimated time and memory. Runs nothing; exit code 2 if this machine has too
    little memory.
    """
    from benchmark.execution.estimates import clock
    from benchmark.execution.run_plan import default_workers, duration
    from benchmark.models.memory import GIGABYTE
    from benchmark.pipeline.memory import need_of, needs_of, require_room

    planned = planned_of(chosen, inputs_of(data), execution.out, execution.force)
    planned = part_of(planned, spread.shard)
    estimates = estimates_of(planned, execution.out, RESULTS)
    jobs = {cell.id: job for job in planned.jobs for cell in job.cells}
    table = Table("cell", "id", "state", "seconds", "peak GB")
    for cell in (*planned.references, *planned.cells):
        state = "cached" if cell.id in planned.cached else "to run"
        job = jobs.get(cell.id)
        spent = f"{estimates.seconds(job):.0f}" if job and job.kind == "cell" else ""
        need = need_of(cell, job.variant) if job else None
        peak = f"{need.peak / GIGABYTE:.1f}" if need else ""
        table.add_row(cell.label, cell.id, state, spent, peak)
    console.print(table)
    for line in (*planned.sizes, *planned.untuned):
        console.print(line, markup=False, soft_wrap=True)
    models = [job for job in planned.jobs if job.kind in ("base", "model")]
    for job in models:
        console.print(f"model to train: {job.label}, about {clock(estimates.seconds(job))}")
    workers = execution.workers or default_workers(planned)
    counts = (
        f"{len(planned.ids)} cells, {len(planned.cached)} cached, {len(models)} models to train"
    )
    console.print(f"{counts}; {duration(estimates, planned, workers, spread.executor)}")
    for need in needs_of(planned):
        console.print(need.line, markup=False, soft_wrap=True)
    if spread.executor == "local":
        require_room(planned, workers)


@app.command()
@plainly
@grouped
def run(chosen: Selection, data: DataSources, execution: Execution, spread: Spread) -> None:
    """Runs all cells of a suite that have no record yet and prints the ranking.

    Exit code 1 if cells failed, 2 on bad input.
    """
    from benchmark.execution.run_plan import default_workers, run_plan, worker_threads
    from benchmark.pipeline.plan import failures
    from benchmark.pipeline.preflight import require_fit
    from benchmark.pipeline.run_context import RunContext
    from benchmark.records.derived import Derived
    from benchmark.records.store import ResultStore
    from benchmark.reports.terminal import print_standings

    inputs, out = inputs_of(data), execution.out
    planned = part_of(planned_of(chosen, inputs, out, execution.force, ask=True), spread.shard)
    require_fit(planned)
    workers = execution.workers or default_workers(planned)
    estimates = estimates_of(planned, out, RESULTS)
    threads = worker_threads(planned)
    context = RunContext(inputs, out.resolve(), execution.force, threads, execution.keep_models)
    run_plan(planned, context, workers, estimates, console, spread.executor)
    print_standings(planned, out, console, Derived.below(inputs.home))
    failed, unstarted = failures(planned, ResultStore(out))
    if failed or unstarted:
        total, skipped = len(planned.ids), f", {unstarted} were skipped" if unstarted else ""
        errors.print(
            f"palimpsest: {failed} of {total} cells failed{skipped}; error records are in {out}; "
            "run again to retry",
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(1)
