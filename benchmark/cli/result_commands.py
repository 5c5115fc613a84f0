"""Commands that read records: validate, export, report, site."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console

from benchmark.cli.groups import Selection
from benchmark.cli.options import RESULTS, SITE, ResultsOption, SignOption
from benchmark.cli.selection import inputs_of, planned_of
from benchmark.cli.signing import signed
from benchmark.cli.terminal import app, console, errors, plainly
from benchmark.errors import BadInput


@app.command()
@plainly
def validate(
    results: Annotated[Path, typer.Argument(help="Folder of the records.")] = RESULTS,
    suite: Annotated[
        str | None, typer.Option("--suite", help="Also require all records of this suite.")
    ] = None,
    recompute: Annotated[
        bool, typer.Option(help="Recompute every value, or check only records and hashes.")
    ] = True,
    sign: SignOption = None,
) -> None:
    """Checks ids, checksums, references and marks, and recomputes every value from its outputs.

    Forged but consistent outputs pass; only `replay` regenerates outputs.

    Exit code 2 if there are findings.
    """
    from benchmark.records.frames import has_outputs
    from benchmark.records.marks import checked_name
    from benchmark.records.store import ResultStore
    from benchmark.records.validation import Folder
    from benchmark.records.weight import weigh

    if sign is not None and checked_name(sign) and not recompute:
        raise BadInput("--sign marks only recomputed records; drop --no-recompute")
    folder = Folder(ResultStore(results))
    if not folder.records and not folder.unreadable:
        raise BadInput(f"{results}: no records")
    findings = _validated(folder, recompute)
    for finding in findings:
        errors.print(str(finding), markup=False, soft_wrap=True)
    if suite:  # only the cells of a suite need the engine; records validate without it
        from benchmark.pipeline.plan import require_finished

        require_finished(planned_of(Selection(suite), inputs_of(), results, force=False))
    if findings:
        errors.print(f"palimpsest: {len(findings)} findings in {results}", soft_wrap=True)
        raise typer.Exit(2)
    counts = [sum(1 for _ in record.value_rows()) for record in folder.records.values()]
    how = "recomputed from their outputs" if recompute else "not recomputed"
    console.print(f"{len(counts)} records valid, {sum(counts)} values {how}")
    for name, weight in weigh(folder.records).items():
        if weight.count:
            mean, total = weight.mean_kilobytes, weight.size / 1e6
            console.print(f"{weight.count} {name}: {mean:.1f} KB each, {total:.1f} MB")
    if sign is not None:
        signed(results, "recomputed", sign, [r for r in folder.records.values() if has_outputs(r)])


def _validated(folder, recompute: bool):
    """Validates a folder with a progress bar and returns the findings."""
    from rich.progress import Progress

    from benchmark.records.validation import validate

    with Progress(console=errors, transient=True) as progress:
        bar = progress.add_task("checking", total=len(folder.records))

        def checked(done: int) -> None:
            progress.update(bar, completed=done)

        return validate(folder, checked, recompute)


@app.command()
@plainly
def rescore(
    results: Annotated[Path, typer.Argument(help="Folder of the records.")] = RESULTS,
) -> None:
    """Recomputes the values of every record from its outputs after metrics have changed.

    Needs no model. Trials store no outputs and must be rerun instead.
    """
    from rich.progress import track

    from benchmark.records.rescore import rescore_record
    from benchmark.records.store import ResultStore

    store = ResultStore(results)
    paths = store.paths()
    if not paths:
        raise BadInput(f"{results}: no records")
    states = [
        rescore_record(path, store)
        for path in track(paths, "rescoring", console=errors, transient=True)
    ]
    console.print(", ".join(f"{states.count(name)} {name}" for name in sorted(set(states))))


@app.command()
@plainly
def export(
    out: Annotated[Path, typer.Option("--out", help="A .csv or .parquet file.")],
    results: ResultsOption = RESULTS,
) -> None:
    """Writes every value, axis and score as one long table."""
    from benchmark.records.store import write_atomically
    from benchmark.reports.terminal import published_standings
    from benchmark.statistics import SCORE_VERSION

    writers: dict[str, Callable] = {
        ".csv": lambda frame: frame.to_csv(index=False).encode(),
        ".parquet": lambda frame: frame.to_parquet(index=False),
    }
    if out.suffix not in writers:
        raise BadInput(f"{out}: the name must end in .csv or .parquet")
    frame: pd.DataFrame = published_standings(results, _derived()).table
    frame = frame.assign(score_version=SCORE_VERSION)
    write_atomically(out, writers[out.suffix](frame))
    console.print(f"{len(frame)} rows in {out}")


@app.command()
@plainly
def report(
    task: Annotated[str, typer.Argument(help="A task, e.g. `frequency`.")] = "",
    attacks: Annotated[
        bool, typer.Option("--attacks", help="How far the attacks agree, over all tasks.")
    ] = False,
    claims: Annotated[
        bool, typer.Option("--claims", help="Whether the papers' claims hold, over all tasks.")
    ] = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Prints a task's results: residual knowledge, cost of forgetting, trajectory, final model.

    With `--attacks`, how far the attacks agree on which methods forgot; with `--claims`, whether
    the papers' claims hold.
    """
    from benchmark.reports.attack_report import print_attacks
    from benchmark.reports.claims_report import print_claims
    from benchmark.reports.terminal import print_task

    if [bool(task), attacks, claims].count(True) != 1:
        raise BadInput("report: pass either a task, --attacks or --claims")
    terminal = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    if attacks:
        print_attacks(results, terminal, _derived())
    elif claims:
        print_claims(results, terminal, _derived())
    else:
        print_task(task, results, terminal, _derived())


@app.command()
@plainly
def meta(results: ResultsOption = RESULTS) -> None:
    """Prints how reliable each metric is, measured on the model pools of the suite `meta`."""
    from benchmark.reports.meta_report import print_meta

    print_meta(results, Console(highlight=False, width=None if sys.stdout.isatty() else 200))


@app.command()
@plainly
def site(
    results: ResultsOption = RESULTS,
    out: Annotated[Path, typer.Option("--out", help="Output folder of the pages.")] = SITE,
    address: Annotated[
        str, typer.Option("--address", help="Public URL, for links in feed and metadata.")
    ] = "",
) -> None:
    """Builds the leaderboard as static pages."""
    build = importlib.import_module("leaderboard.build")  # the engine must not import the site
    page = build.build_site(results, out, _derived(), address and address.rstrip("/") + "/")
    console.print(f"leaderboard: {page.resolve()}", soft_wrap=True)


@app.command()
@plainly
def rank(
    rows: Annotated[list[str], typer.Argument(help="Row names, as in the ranking, or record ids.")],
    results: ResultsOption = RESULTS,
) -> None:
    """Prints rows beside the anchors and their neighbours, as Markdown."""
    from benchmark.reports.neighbours import compared_rows

    typer.echo(compared_rows(results, rows, _derived()))


@app.command()
@plainly
def cite(
    method: Annotated[str, typer.Argument(help="Row name, as in the ranking.")],
    track: Annotated[str, typer.Option("--track", help="Only this track.")] = "",
    results: ResultsOption = RESULTS,
) -> None:
    """Prints the citation of a row on each track, as text and as BibTeX."""
    pages = importlib.import_module("leaderboard.citation")
    for text, bibtex in pages.citations(results, method, track, _derived()):
        console.print(f"{text}\n\n{bibtex}\n", markup=False, highlight=False, soft_wrap=True)


def _derived():
    from benchmark.records.derived import Derived

    return Derived.below(inputs_of().home)
