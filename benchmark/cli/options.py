"""Option types, each defined once; groups.py combines those that belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Answers = Literal["name", "sentence"]
Backend = Literal["hf", "vllm"]
Precision = Literal["float32", "bfloat16"]
MethodArgument = Annotated[str, typer.Argument(help="path/to/file.py, file.py:Class, or a name.")]
SuiteOption = Annotated[
    str | None,
    typer.Option(
        "--suite",
        help="Suite name or YAML file; default `quick`, or `custom` with --forget.",
    ),
]
TracksOption = Annotated[
    list[str] | None,
    typer.Option("--track", help="This track instead of the suite's; repeatable."),
]
TasksOption = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        help="This task or variant (`frequency`, `frequency/low`) instead of the suite's; "
        "repeatable.",
    ),
]
MethodsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        help="Only this method: a name, or path/to/file.py:Class, with three seeds if it is not in "
        "the suite; repeatable.",
    ),
]
SeedsOption = Annotated[
    list[int] | None,
    typer.Option("--seed", min=0, max=2**31 - 1, help="Only this seed; repeatable."),
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of the records.")]
ResultsOption = Annotated[Path, typer.Option("--results", help="Folder of the records.")]
SignOption = Annotated[
    str | None,
    typer.Option("--sign", help="Mark records that pass as checked by NAME, in `marks/`."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, help="Worker processes; default one per core or GPU, one with vLLM."
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Rerun cells that already have a record.")
]
ExecutorOption = Annotated[
    Literal["local", "ray"],
    typer.Option(
        "--executor",
        help="Local processes, or the Ray cluster at RAY_ADDRESS (needs the extra `ray`).",
    ),
]
ShardOption = Annotated[
    str,
    typer.Option(
        "--shard", help="Run only part i of n of the cells (i/n), for job arrays on shared folders."
    ),
]
KeepModelsOption = Annotated[
    bool,
    typer.Option(
        "--keep-models",
        help="Keep unlearned models in `partial` under PALIMPSEST_HOME, so that attacks added "
        "later do not require unlearning again; takes the disk space of one model per cell.",
    ),
]
ModelOption = Annotated[
    str, typer.Option("--model", help="A folder, org/name@revision, or a track's name.")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of local data sets, or of a single data set."),
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="This model (a folder, or org/name@revision) instead of the suite's; repeatable.",
    ),
]
TrackFileOption = Annotated[
    Path | None,
    typer.Option(
        "--track-file",
        help="YAML with your model's training, attacks, tuned parameters and prompts.",
    ),
]
ForgetOption = Annotated[
    Path | None,
    typer.Option("--forget", help="Your own forget set (JSON lines); requires --retain."),
]
RetainOption = Annotated[
    Path | None, typer.Option("--retain", help="Your own retain set (JSON lines).")
]
AnswersOption = Annotated[
    Answers,
    typer.Option("--answers", help="Answer form of your own questions: name or sentence."),
]
BackendChoice = Annotated[
    Backend | None,
    typer.Option(
        "--backend",
        help="Generation backend; overrides the suite, which by default takes vllm for pretrained "
        "models if it is installed.",
    ),
]
PrecisionOption = Annotated[
    Precision | None,
    typer.Option("--precision", help="Precision of pretrained models; overrides the suite."),
]
BackendOption = Annotated[
    Backend | None,
    typer.Option("--backend", help="Generation backend; default vllm if it is installed."),
]
OriginalOption = Annotated[
    str | None,
    typer.Option(
        "--original", help="The model before unlearning; real_entities selects facts it knows."
    ),
]
ReferenceOption = Annotated[
    str | None,
    typer.Option("--reference", help="A model trained without the forget set, to compare with."),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only the first N rows of each split.")
]
HarnessOption = Annotated[
    str, typer.Option("--harness", help="Also run an lm-eval group: palimpsest, jang or yuan.")
]
EvaluationPrecision = Annotated[
    Precision,
    typer.Option("--precision", help="bfloat16 is faster but changes greedy-decoding metrics."),
]
SamplesOption = Annotated[
    int | None,
    typer.Option("--samples", min=0, max=64, help="Sampled answers per question, for leak_at_k."),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="CPU threads; all cores by default.")
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write all results to this file.")]
OUT, RESULTS, SITE = Path("runs"), Path("results"), Path("site")
