"""Commands that evaluate a model without running a method."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmark.cli.groups import DataSources, grouped
from benchmark.cli.knowledge import probe_with_progress
from benchmark.cli.options import (
    BackendOption,
    EvaluationPrecision,
    HarnessOption,
    JsonOption,
    LimitOption,
    ModelOption,
    OriginalOption,
    ReferenceOption,
    SamplesOption,
    ThreadsOption,
    TrackFileOption,
)
from benchmark.cli.selection import inputs_of, require_own_model
from benchmark.cli.terminal import app, console, plainly
from benchmark.errors import BadInput


@app.command()
@plainly
@grouped
def evaluate(
    model: ModelOption,
    task: Annotated[str, typer.Option("--task", help="One task variant, e.g. `tofu/forget01`.")],
    data: DataSources,
    original: OriginalOption = None,
    limit: LimitOption = None,
    reference: ReferenceOption = None,
    backend: BackendOption = None,
    harness: HarnessOption = "",
    precision: EvaluationPrecision = "float32",
    samples: SamplesOption = None,
    threads: ThreadsOption = None,
    json_file: JsonOption = None,
) -> None:
    """Scores any checkpoint on a task, without running a method. Nothing is ranked."""
    from benchmark.execution.run_plan import cores, prepare_worker
    from benchmark.inference.vllm_engine import EngineDied, require_backend, usual_backend
    from benchmark.pipeline.score_checkpoint import evaluate as score

    if data.forget and task != "custom":
        raise BadInput(f"--forget, --retain: only the task custom uses them, {task} does not")
    inputs = inputs_of(data)
    require_own_model(inputs, [name for name in (model, original, reference) if name])
    require_backend(backend)
    generator = backend or usual_backend(pretrained=True)
    prepare_worker(threads or cores())
    try:
        evaluation = score(
            model, task, inputs, reference, limit, generator, harness, precision, original, samples
        )
    except EngineDied as error:
        raise BadInput(str(error)) from None
    console.print(_value_table(evaluation.table()))
    if not reference:
        console.print(
            "Forget quality needs a model trained without the forget set: pass it as `--reference`."
        )
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in evaluation.seconds.items())
    console.print(f"{sum(evaluation.seconds.values()):.1f} s in total: {spent}", soft_wrap=True)
    rows = f", {limit} rows of each split." if limit else "."
    console.print("Evaluation only: nothing is ranked" + rows)
    if json_file:
        evaluation.write(json_file)


def _value_table(values: pd.DataFrame) -> Table:
    """A table with one row per value; values that could not be measured are dashes."""
    names = ("split", "metric", "value", "reference", "better", "unit", "examples", "failed")
    table = Table(*names, box=SIMPLE_HEAD)
    for row in values.to_dict("records"):
        numbers = (
            "–" if number is None or pd.isna(number) else f"{number:.4f}"
            for number in (row["value"], row["reference"])
        )
        counts = str(row["n"]), str(row["failed"] or "")
        table.add_row(row["split"], row["metric"], *numbers, row["better"], row["unit"], *counts)
    return table


@app.command()
@plainly
def probe(
    task: Annotated[
        str, typer.Option("--task", help="A task whose data depend on the model's knowledge.")
    ],
    track: Annotated[str, typer.Option("--track", help="A track, org/name@revision, or a folder.")],
    track_file: TrackFileOption = None,
) -> None:
    """Probes which of a task's facts a pretrained model knows; `run` uses the known ones."""
    inputs = inputs_of(DataSources(track_file=track_file))
    require_own_model(inputs, [track])
    console.print(
        f"knowledge of {track} on {task}: {probe_with_progress(task, track, inputs)}",
        soft_wrap=True,
    )
