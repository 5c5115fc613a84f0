"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Answers = Literal["name", "sentence"]
Backend = Literal["hf", "vllm"]
Precision = Literal["float32", "bfloat16"]
SuiteOption = Annotated[
    str | None,
    typer.Option(
        "--suite",
        help="A suite's name, or a YAML file; `quick` if not given, with --forget `custom`.",
    ),
]
TracksOption = Annotated[
    list[str] | None, typer.Option("--track", help="Only this track; may be given again.")
]
TasksOption = Annotated[
    list[str] | None,
    typer.Option("--task", help="Only this task or variant, as `frequency` or `frequency/low`."),
]
MethodsOption = Annotated[
    list[str] | None,
    typer.Option("--method", help="Only this method: a name, or path/to/file.py:Class."),
]
SeedsOption = Annotated[
    list[int] | None,
    typer.Option("--seed", min=0, max=2**31 - 1, help="Only this seed; may be given again."),
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of the records.")]
ResultsOption = Annotated[Path, typer.Option("--results", help="Folder of the records.")]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, help="Processes; if not given one per core, one with vLLM or a GPU."
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Run again what has a record already.")]
ModelOption = Annotated[
    str, typer.Option("--model", help="A folder, org/name@revision, or a track's name.")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Local data sets: a folder of them, or one's own folder."),
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option("--model", help="Only this model: a folder, or org/name@revision."),
]
ForgetOption = Annotated[
    Path | None,
    typer.Option(
        "--forget", help="Questions of your own to be forgotten (JSON lines), with --retain."
    ),
]
RetainOption = Annotated[
    Path | None, typer.Option("--retain", help="Questions of your own to be kept (JSON lines).")
]
AnswersOption = Annotated[
    Answers,
    typer.Option(
        "--answers", help="The form of the answers to questions of your own: name or sentence."
    ),
]
BackendChoice = Annotated[
    Backend | None,
    typer.Option("--backend", help="What generates, if not what the suite says: hf or vllm."),
]
PrecisionOption = Annotated[
    Precision | None,
    typer.Option(
        "--precision", help="What pretrained models train in, if not what the suite says."
    ),
]
BackendOption = Annotated[
    Backend, typer.Option("--backend", help="What generates: hf, or vllm (`make vllm`).")
]
OUT, RESULTS, SITE = Path("runs"), Path("results"), Path("site")
