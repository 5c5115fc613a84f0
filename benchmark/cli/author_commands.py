"""Commands for authors of methods."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.groups import DataSources
from benchmark.cli.options import RESULTS, MethodArgument, ResultsOption
from benchmark.cli.selection import inputs_of
from benchmark.cli.terminal import app, console, plainly


@app.command("new-method")
@plainly
def new_method(
    name: Annotated[str, typer.Argument(help="Name of the method, e.g. `my_method`.")],
    kind: Annotated[str, typer.Option(help="loss, hidden, prompt or two-model.")] = "loss",
) -> None:
    """Writes a method template, NAME.py, to the current folder."""
    from benchmark.authoring.new_method import new_method as write

    path = write(name, kind, Path())
    console.print(f"wrote {path}; next: palimpsest check {path}", markup=False)


@app.command()
@plainly
def check(
    method: MethodArgument,
) -> None:
    """Checks a method on a tiny model and prints one verdict per rule; exit code 1 if any fails."""
    from benchmark.authoring.check import check as verdicts
    from benchmark.core.registry import method_in
    from benchmark.execution.run_plan import prepare_worker

    prepare_worker()
    broken = 0
    for verdict in verdicts(method_in(method), inputs_of(DataSources())):
        broken += not verdict.passed
        mark = "[green]ok  [/]" if verdict.passed else "[red]FAIL[/]"
        detail = f": {verdict.detail}" if verdict.detail else ""
        console.print(mark, end=" ")
        console.print(f"{verdict.rule}{detail}", markup=False, soft_wrap=True)
    if broken:
        raise typer.Exit(1)


@app.command()
@plainly
def compare(
    one: Annotated[str, typer.Argument(help="Row name, as in the ranking.")],
    other: Annotated[str, typer.Argument(help="The row to compare it with.")],
    tasks: Annotated[
        list[str] | None, typer.Option("--task", help="Only this task or variant; repeatable.")
    ] = None,
    examples: Annotated[int, typer.Option(help="How many differing examples to list.", min=0)] = 10,
    results: ResultsOption = RESULTS,
) -> None:
    """Compares two methods from their records: paired differences on every axis and variant."""
    from benchmark.records.derived import Derived
    from benchmark.reports.comparison import comparison_of, print_comparison

    derived = Derived.below(inputs_of(DataSources()).home)
    comparison = comparison_of(results, one, other, tasks or [], derived)
    print_comparison(comparison, one, other, console, examples)
