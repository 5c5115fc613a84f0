"""The command that packs a row for submission."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.groups import DataSources, Selection, grouped
from benchmark.cli.options import (
    RESULTS,
    MethodArgument,
    ResultsOption,
    TasksOption,
    TracksOption,
)
from benchmark.cli.selection import inputs_of, planned_of
from benchmark.cli.terminal import app, errors, plainly
from benchmark.errors import BadInput


@app.command()
@plainly
@grouped
def submit(
    method: MethodArgument,
    data: DataSources,
    out: Annotated[Path, typer.Option("--out", help="A new folder for the pack.")],
    results: ResultsOption = RESULTS,
    suite: Annotated[str, typer.Option("--suite", help="Suite whose cells are required.")] = "cpu",
    tracks: TracksOption = None,
    tasks: TasksOption = None,
    card: Annotated[
        Path, typer.Option("--card", help="Authors, paper, code; a template is written if missing.")
    ] = Path("card.yaml"),
) -> None:
    """Checks that a method's row is complete and valid, collects the files for its pull request in
    a new folder, and prints the pull request's text.

    Collects nothing and exits with code 2 if anything is missing or wrong.
    """
    from benchmark.authoring.submission import pack, submission_of
    from benchmark.core.registry import method_in, method_named
    from benchmark.records.derived import Derived
    from benchmark.records.store import ResultStore
    from benchmark.reports.pull_request import pull_request

    spec = method_in(method)
    cls = method_named(spec)
    read = _card(card, cls.name)
    inputs, store = inputs_of(data), ResultStore(results)
    chosen = Selection(suite, tracks, None, tasks, [spec])
    planned = planned_of(chosen, inputs, results, force=False)
    submission = submission_of(planned, Path(inspect.getfile(cls)), store)
    with errors.status("validating"):
        text = pull_request(submission, read, cls, results, Derived.below(inputs.home))
        pack(submission, read, card, store, out)
    errors.print(f"packed {len(submission.records)} records into {out}", soft_wrap=True)
    typer.echo(text)


def _card(path: Path, method: str):
    """Reads the card: writes a template if there is none, and prints one line per fault."""
    from benchmark.authoring.card import card_in, write_template

    if not path.exists():
        write_template(path, method)
        raise BadInput(f"{path}: no card found; fill in the template just written and submit again")
    card, faults = card_in(path, method)
    for fault in faults:
        errors.print(f"palimpsest: {fault}", markup=False, soft_wrap=True)
    if card is None:
        raise typer.Exit(2)
    return card
