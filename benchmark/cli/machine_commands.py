"""Commands about the registries and the machine: list, perf, doctor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmark.cli.groups import DataSources
from benchmark.cli.options import ModelOption, TrackFileOption
from benchmark.cli.selection import inputs_of, require_own_model
from benchmark.cli.terminal import app, console, errors, plainly


@app.command("list")
@plainly
def list_command() -> None:
    """Lists suites, tracks, tasks, methods, metrics and attacks."""
    from benchmark.core.registry import attacks, methods
    from benchmark.metrics import METRICS
    from benchmark.models.tracks import all_tracks
    from benchmark.pipeline.selection import known_task_names
    from benchmark.pipeline.suite import load_suite, suite_files

    def show(title: str, rows: Sequence[tuple[str, ...]]) -> None:
        table = Table(
            title=title, title_justify="left", show_header=False, box=None, pad_edge=False
        )
        for row in rows:
            table.add_row(*row)
        console.print(table, "")

    show("suites", [(name, load_suite(name).description) for name in suite_files()])
    show("tracks", [(t.name, t.description) for t in all_tracks()])
    show("tasks", [(name,) for name in known_task_names()])
    show(
        "methods",
        [(name, cls.family, _sees(cls), _first_line(cls)) for name, cls in methods().items()],
    )
    show("metrics", [(m.id, m.unit, m.description) for m in METRICS.values()])
    show("attacks", [(a.name, _first_line(a), a.source) for a in attacks().values()])


def _sees(cls) -> str:
    return "uses " + (", ".join(sorted(cls.sees)) or "nothing")


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().split("\n")[0]


@app.command()
@plainly
def perf(
    model: ModelOption = "smollm2-135m",
    track_file: TrackFileOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer points.")] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the rows to this file.")] = None,
) -> None:
    """Measures generation, scoring and training speed on this machine, as a share of its peak, and
    the gain from reusing a vLLM engine.
    """
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from benchmark.models.pretrained import models_named
    from benchmark.records.store import write_atomically
    from benchmark.tools.perf import measure

    inputs = inputs_of(DataSources(track_file=track_file))
    require_own_model(inputs, [model])
    models = models_named(model, inputs)
    folder, profile = models.base(), models.profile
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), console=errors, transient=True
    ) as progress:
        bar = progress.add_task("measuring", total=None)
        rows = measure(folder, profile, lambda what: progress.update(bar, description=what), quick)
    names = ("measurement", "backend", "precision", "batch size", "value", "unit", "share of peak")
    table = Table(*names, box=SIMPLE_HEAD)
    for row in rows.to_dict("records"):
        share = "" if pd.isna(row["share_of_peak"]) else f"{row['share_of_peak']:.1%}"
        columns = ("what", "backend", "precision", "batch")
        first = ("" if pd.isna(row[name]) else str(row[name]) for name in columns)
        table.add_row(*first, f"{row['value']:.4g}", row["unit"], share)
    console.print(table)
    if csv:
        write_atomically(csv, rows.to_csv(index=False).encode())


@app.command()
@plainly
def doctor() -> None:
    """Reports this machine's hardware and software, and how to install what is missing."""
    from benchmark.tools.doctor import examine_machine

    table = Table("what", "found", "to do")
    findings = examine_machine(inputs_of())
    for finding in findings:
        table.add_row(finding.what, finding.found, finding.remedy or "[green]ok[/]")
    console.print(table)
