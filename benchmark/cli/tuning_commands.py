"""Commands that show a method's training and choose its learning rate."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark.cli.groups import DataSources, Execution, grouped
from benchmark.cli.options import RESULTS, MethodArgument
from benchmark.cli.selection import estimates_of, inputs_of, plan_of_suite
from benchmark.cli.terminal import app, console, errors, plainly


@app.command()
@plainly
@grouped
def debug(
    method: MethodArgument,
    data: DataSources,
    track: Annotated[str, typer.Option("--track", help="A track.")] = "controlled-1m-dev",
    task: Annotated[str, typer.Option("--task", help="One task variant.")] = "fictitious",
    out: Annotated[Path, typer.Option("--out", help="Folder of the files.")] = Path("debug"),
) -> None:
    """Runs a method once and shows its losses, gradient norm and forgetting step by step.

    Writes a figure (HTML) and all numbers (CSV), and no record. Exit code 1 if the method failed.
    """
    from benchmark.reports.training_course import write_course

    planned = _single_cell(method, track, task, inputs_of(data))
    cell = planned.cells[0]
    title = f"{cell.method_name} on {track}, {cell.identity.variant}"
    moments: list[Any] = []
    failure = _followed(planned, title, moments)
    # A model of the user's own is named by a path, which its track's name is not.
    stem = f"{cell.method_name}-{cell.identity.track}-{cell.identity.variant}".replace("/", "-")
    for path in write_course(moments, title, out / stem):
        console.print(f"wrote {path}", markup=False, soft_wrap=True)
    if failure:
        errors.print(f"palimpsest: {failure}", markup=False, soft_wrap=True)
        raise typer.Exit(1)


def _single_cell(method: str, track: str, task: str, inputs):
    """The plan of one cell; BadInput if the task has several variants."""
    from benchmark.authoring.debug import single_cell
    from benchmark.pipeline.preflight import require_fit

    # No record is read or written: every job is planned, wherever its record may lie.
    planned = plan_of_suite(single_cell(method, track, task), inputs, Path(), force=True)
    require_fit(planned)
    return planned


def _followed(planned, title: str, moments: list[Any]) -> str:
    """Fills `moments` while they are shown; returns the method's error, or nothing."""
    from rich.live import Live

    from benchmark.authoring.debug import follow
    from benchmark.core.registry import method_named
    from benchmark.execution.run_plan import prepare_worker, worker_threads
    from benchmark.pipeline.author_errors import author_line
    from benchmark.pipeline.unlearn import run_of
    from benchmark.reports.training_course import LATEST, course_table

    prepare_worker(worker_threads(planned))
    with console.status("preparing the target"):
        job = planned.jobs[-1]
        run, target = run_of(job.cells[0], job.variant)
    failure = ""
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def notify(moment: Any) -> None:
            moments.append(moment)
            live.update(course_table(moments, title, LATEST))

        try:
            follow(run, target, notify)
        except (Exception, SystemExit) as error:  # of the author's code, whatever it is
            failure = author_line(error, Path(inspect.getfile(method_named(run.cell.method))))
    console.print(course_table(moments, title))
    return failure


@app.command()
@plainly
@grouped
def tune(
    method: MethodArgument,
    data: DataSources,
    execution: Execution,
    track: Annotated[str, typer.Option("--track", help="The track to tune for.")] = "controlled-1m",
    families: Annotated[
        list[str] | None,
        typer.Option("--family", help="Only this task family, e.g. questions; repeatable."),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the chosen rate into the track's file.")
    ] = False,
) -> None:
    """Tries the track's learning rates on its development data, which are never scored.

    Finished trials are not repeated. Exit code 1 if no rate can be chosen.
    """
    from benchmark.authoring.tuning import trial_suite, tuned_file, write_rate
    from benchmark.core.registry import method_in

    spec = method_in(method)
    suite = trial_suite(spec, track, families or [])
    file = tuned_file(spec, track) if write else None
    rate = _chosen_rate(suite, inputs_of(data), execution)
    if rate is None:
        errors.print(f"palimpsest: no rate has all its trials; records are in {execution.out}")
        raise typer.Exit(1)
    console.print(f"chosen: learning_rate {rate:g}, the smallest tied with the best")
    if file:
        write_rate(file, spec, rate)
        console.print(f"wrote it into {file}", markup=False, soft_wrap=True)


def _chosen_rate(suite, inputs, execution: Execution) -> float | None:
    """Runs the trials that have no record yet, and prints all of them."""
    from benchmark.execution.run_plan import default_workers, run_plan, worker_threads
    from benchmark.pipeline.preflight import require_fit
    from benchmark.pipeline.run_context import RunContext
    from benchmark.records.store import ResultStore, read_record
    from benchmark.reports.tuning_table import print_trials

    out = execution.out
    planned = plan_of_suite(suite, inputs, out, force=execution.force)
    require_fit(planned)
    workers = execution.workers or default_workers(planned)
    context = RunContext(
        inputs, out.resolve(), execution.force, worker_threads(planned), execution.keep_models
    )
    run_plan(planned, context, workers, estimates_of(planned, out, RESULTS), console)
    paths = [cell.path(ResultStore(out)) for cell in planned.cells]
    if not all(path.is_file() for path in paths):
        return None
    return print_trials([read_record(path) for path in paths], console)
