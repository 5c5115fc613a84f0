"""Commands that trace a method's training and choose its learning rate."""

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

    Writes a figure (HTML) and all numbers (CSV), but no record. Exit code 1 if the method failed.
    """
    from benchmark.reports.training_course import write_course

    planned = _single_cell(method, track, task, inputs_of(data))
    cell = planned.cells[0]
    title = f"{cell.method_name} on {track}, {cell.identity.variant}"
    moments: list[Any] = []
    failure = _followed(planned, title, moments)
    # For the user's own model, `track` is a path, but the track's name is not.
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

    # No record is reused or written: `force` plans every job, even if a record exists.
    planned = plan_of_suite(single_cell(method, track, task), inputs, Path(), force=True)
    require_fit(planned)
    return planned


def _followed(planned, title: str, moments: list[Any]) -> str:
    """Runs the cell, showing `moments` as they are added; returns the method's error, if any."""
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
        except (Exception, SystemExit) as error:  # any error in the author's code
            failure = author_line(error, Path(inspect.getfile(method_named(run.cell.method))))
    console.print(course_table(moments, title))
    return failure


@app.command()
@plainly
@grouped
def tune(
    data: DataSources,
    execution: Execution,
    specs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[METHOD]...", help="Methods, as for `run`; default: all with a learning rate."
        ),
    ] = None,
    track: Annotated[str, typer.Option("--track", help="The track to tune for.")] = "controlled-1m",
    families: Annotated[
        list[str] | None,
        typer.Option("--family", help="Only this task family, e.g. questions; repeatable."),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the chosen rates to benchmark/tracks/chosen/.")
    ] = False,
) -> None:
    """Tries the track's learning rates on its development data, which no ranked run uses.

    Rates are tried in ascending order until one destroys the model. Where the track declares a
    search, a few rates come first, then the neighbours of the best one. Finished trials are not
    repeated. Exit code 1 if no rate can be chosen for some method.
    """
    from benchmark.authoring.tuning import (
        chosen_file,
        declared_trials,
        development_of,
        tunable,
        write_chosen,
    )
    from benchmark.core.registry import method_in, method_named
    from benchmark.reports.tuning_table import print_trials

    named = [method_in(spec) for spec in specs or []]
    methods = tunable(named)
    file = chosen_file(track) if write else None
    wanted = _wanted(methods, track, families or [])
    grid = declared_trials(development_of(track)).rates
    chosen: dict[str, dict[str, float]] = {}
    for (spec, family), records in _trials(wanted, track, inputs_of(data), execution).items():
        rate = print_trials(records, family, grid, console)
        if rate is not None:
            chosen.setdefault(spec, {})[family] = rate
    if file:
        write_chosen(file, {method_named(spec).name: rates for spec, rates in chosen.items()})
        console.print(f"wrote {file}", markup=False, soft_wrap=True)
    if any(len(chosen.get(spec, {})) < len(own) for spec, own in wanted.items()):
        errors.print(f"palimpsest: no rate for some methods; records are in {execution.out}")
        raise typer.Exit(1)


def _wanted(methods: list[str], track: str, families: list[str]) -> dict[str, list[str]]:
    """The task families in which each method is tuned."""
    from benchmark.authoring.tuning import declared_trials, development_of
    from benchmark.core.registry import lookup

    declared = declared_trials(development_of(track)).families
    for name in families:
        lookup("task family", name, declared)
    return {spec: families or list(declared) for spec in methods}


def _trials(methods: dict[str, list[str]], track: str, inputs, execution: Execution):
    """Runs the trials without a record, one round after another; returns records by (method,
    family). A search whose trials leave no record ends.
    """
    from benchmark.authoring.tuning import (
        declared_trials,
        development_of,
        next_rates,
        trial_suite,
    )

    declared = declared_trials(development_of(track))
    records: dict[tuple[str, str], list] = {(m, f): [] for m, own in methods.items() for f in own}
    searching = set(records)
    while wanted := {
        place: own
        for place in records
        if place in searching and (own := next_rates(declared, records[place]))
    }:
        searching = set()
        for place, record in _trials_of(trial_suite(track, wanted), inputs, execution):
            searching.add(place)
            records[place].append(record)
    return records


def _trials_of(suite, inputs, execution: Execution):
    """Runs a suite of trials; yields ((method, family), record) for each."""
    from benchmark.authoring.tuning import declared_trials, trial_variant
    from benchmark.execution.run_plan import default_workers, run_plan, worker_threads
    from benchmark.pipeline.preflight import require_fit
    from benchmark.pipeline.run_context import RunContext
    from benchmark.records.store import ResultStore, read_record

    out, declared = execution.out, declared_trials(suite.tracks[0])
    planned = plan_of_suite(suite, inputs, out, force=execution.force)
    require_fit(planned)
    workers = execution.workers or default_workers(planned)
    context = RunContext(
        inputs, out.resolve(), execution.force, worker_threads(planned), execution.keep_models
    )
    run_plan(planned, context, workers, estimates_of(planned, out, RESULTS), console)
    families = {trial_variant(declared, name): name for name in declared.families}
    for cell in planned.cells:
        path = cell.path(ResultStore(out))
        if path.is_file():
            yield (cell.method, families[cell.identity.variant]), read_record(path)
