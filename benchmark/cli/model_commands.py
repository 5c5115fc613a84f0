"""Commands that ask a model without running a method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmark.cli.knowledge import probe_with_progress
from benchmark.cli.options import (
    AnswersOption,
    BackendOption,
    DataOption,
    ForgetOption,
    ModelOption,
    Precision,
    RetainOption,
)
from benchmark.cli.selection import inputs_of
from benchmark.cli.terminal import app, console, plainly
from benchmark.errors import BadInput


@app.command()
@plainly
def evaluate(
    model: ModelOption,
    task: Annotated[str, typer.Option("--task", help="One task variant, as `tofu/forget01`.")],
    data_dir: DataOption = None,
    forget: ForgetOption = None,
    retain: RetainOption = None,
    answers: AnswersOption = "name",
    original: Annotated[
        str | None,
        typer.Option(
            "--original",
            help="The model before unlearning: real_entities asks what this one knows.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only so many rows of each split.")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="A model that never saw the forgotten, to compare with."),
    ] = None,
    backend: BackendOption = "hf",
    harness: Annotated[
        str, typer.Option("--harness", help="Also an lm-eval group: palimpsest, jang, yuan.")
    ] = "",
    precision: Annotated[
        Precision,
        typer.Option("--precision", help="bfloat16 is faster, and moves greedy metrics."),
    ] = "float32",
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples", min=0, max=64, help="Answers drawn to each question, for leak_at_k."
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Of the CPU; all if not given.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything to this file.")
    ] = None,
) -> None:
    """Scores a checkpoint made anywhere on a task, without running a method. Nothing is ranked."""
    from benchmark.execution.run_plan import cores, prepare_worker
    from benchmark.inference.vllm_engine import EngineDied, require_backend
    from benchmark.pipeline.score_checkpoint import evaluate as score

    if forget and task != "custom":
        raise BadInput(f"--forget, --retain: {task} does not ask them, custom does")
    inputs = inputs_of(data_dir, forget, retain, answers)
    require_backend(backend)
    prepare_worker(threads or cores())
    try:
        found = score(
            model, task, inputs, reference, limit, backend, harness, precision, original, samples
        )
    except EngineDied as error:
        raise BadInput(str(error)) from None
    table = Table(
        "split", "metric", "value", "reference", "better", "unit", "n", "failed", box=SIMPLE_HEAD
    )
    for row in found.table().to_dict("records"):
        numbers = (
            "–" if number is None or pd.isna(number) else f"{number:.4f}"
            for number in (row["value"], row["reference"])
        )
        counts = str(row["n"]), str(row["failed"] or "")
        table.add_row(row["split"], row["metric"], *numbers, row["better"], row["unit"], *counts)
    console.print(table)
    if not reference:
        console.print(
            "Forget quality compares with a model that never read what is forgotten: "
            "`--reference` names it."
        )
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found.seconds.items())
    console.print(f"{sum(found.seconds.values()):.1f} s in all: {spent}", soft_wrap=True)
    console.print(
        "An evaluation alone: nothing is ranked"
        + (f", {limit} rows of each split." if limit else ".")
    )
    if json_file:
        found.write(json_file)


@app.command()
@plainly
def probe(
    task: Annotated[
        str, typer.Option("--task", help="A task whose data depend on what the model knows.")
    ],
    track: Annotated[str, typer.Option("--track", help="A track, org/name@revision, or a folder.")],
) -> None:
    """Asks a pretrained model what it knows of a task's facts, which `run` needs to choose from."""
    console.print(
        f"what {track} knows of {task}: {probe_with_progress(task, track, inputs_of())}",
        soft_wrap=True,
    )
