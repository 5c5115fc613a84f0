"""Commands that plan and run a suite."""

from __future__ import annotations

from rich.table import Table

from benchmark.cli.options import (
    OUT,
    RESULTS,
    AnswersOption,
    BackendChoice,
    DataOption,
    ForceOption,
    ForgetOption,
    MethodsOption,
    ModelsOption,
    OutOption,
    PrecisionOption,
    RetainOption,
    SeedsOption,
    SuiteOption,
    TasksOption,
    TracksOption,
    WorkersOption,
)
from benchmark.cli.selection import Selection, estimates_of, inputs_of, planned_of
from benchmark.cli.terminal import app, console, plainly


@app.command()
@plainly
def plan(
    suite: SuiteOption = None,
    track: TracksOption = None,
    model: ModelsOption = None,
    task: TasksOption = None,
    method: MethodsOption = None,
    seed: SeedsOption = None,
    forget: ForgetOption = None,
    retain: RetainOption = None,
    answers: AnswersOption = "name",
    data_dir: DataOption = None,
    backend: BackendChoice = None,
    precision: PrecisionOption = None,
    out: OutOption = OUT,
    workers: WorkersOption = None,
    force: ForceOption = False,
) -> None:
    """Shows the cells of a suite, which are cached, and the estimated time; runs nothing."""
    from benchmark.execution.estimates import clock
    from benchmark.execution.run_plan import default_workers

    inputs = inputs_of(data_dir, forget, retain, answers)
    chosen = Selection(
        suite,
        track,
        model,
        task,
        method,
        seed,
        backend,
        precision,
        own_questions=forget is not None,
    )
    planned = planned_of(chosen, inputs, out, force)
    estimates, count = estimates_of(out, RESULTS), workers or default_workers(planned)
    jobs = {job.id: job for job in planned.jobs}
    table = Table("cell", "id", "state", "seconds")
    for cell in (*planned.references, *planned.cells):
        cached = cell.id in planned.cached
        job = jobs.get(cell.id)
        table.add_row(
            cell.label,
            cell.id,
            "cached" if cached else "to run",
            f"{estimates.seconds(job):.0f}" if job else "",
        )
    console.print(table)
    for line in planned.sizes:
        console.print(line, markup=False, soft_wrap=True)
    models = [job for job in planned.jobs if job.kind in ("base", "model")]
    for job in models:
        console.print(f"model to train: {job.label}, about {clock(estimates.seconds(job))}")
    total = clock(estimates.total(planned.jobs, count))
    counts = (
        f"{len(planned.ids)} cells, {len(planned.cached)} cached, {len(models)} models to train"
    )
    console.print(f"{counts}; about {total} on {count} workers")


@app.command()
@plainly
def run(
    suite: SuiteOption = None,
    track: TracksOption = None,
    model: ModelsOption = None,
    task: TasksOption = None,
    method: MethodsOption = None,
    seed: SeedsOption = None,
    forget: ForgetOption = None,
    retain: RetainOption = None,
    answers: AnswersOption = "name",
    data_dir: DataOption = None,
    backend: BackendChoice = None,
    precision: PrecisionOption = None,
    out: OutOption = OUT,
    workers: WorkersOption = None,
    force: ForceOption = False,
) -> None:
    """Runs what a suite asks for and has no record yet, then prints the ranked table."""
    from benchmark.execution.run_plan import default_workers, run_plan
    from benchmark.pipeline.preflight import require_fit
    from benchmark.reports.terminal import print_standings

    inputs = inputs_of(data_dir, forget, retain, answers)
    chosen = Selection(
        suite,
        track,
        model,
        task,
        method,
        seed,
        backend,
        precision,
        own_questions=forget is not None,
    )
    planned = planned_of(chosen, inputs, out, force, ask=True)
    require_fit(planned)
    count = workers or default_workers(planned)
    failed = run_plan(planned, inputs, out, count, force, estimates_of(out, RESULTS), console)
    print_standings(planned, out, console)
    if failed:
        console.print(
            f"{failed} jobs failed; their error records are in {out}, and the next run tries "
            "them again"
        )
