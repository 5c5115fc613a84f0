"""The command line: palimpsest list, plan, run, evaluate, survey, validate, report, export, site, perf, doctor."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark.errors import BadInput
from benchmark.ground import DATA_VARIABLE

Backend = Literal["hf", "vllm"]
Precision = Literal["float32", "bfloat16"]

app = typer.Typer(
    help="Palimpsest: benchmark suite and leaderboard for unlearning in large language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
errors = Console(stderr=True, highlight=False)

SuiteOption = Annotated[
    str | None,
    typer.Option("--suite", help="A suite's name, or a YAML file; `quick` if not given, with --forget `custom`."),
]
TracksOption = Annotated[list[str] | None, typer.Option("--track", help="Only this track; may be given again.")]
TasksOption = Annotated[
    list[str] | None, typer.Option("--task", help="Only this task or variant, as `frequency` or `frequency/low`.")
]
MethodsOption = Annotated[
    list[str] | None, typer.Option("--method", help="Only this method: a name, or path/to/file.py:Class.")
]
SeedsOption = Annotated[
    list[int] | None, typer.Option("--seed", min=0, max=2**31 - 1, help="Only this seed; may be given again.")
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of the records.")]
ResultsOption = Annotated[Path, typer.Option("--results", help="Folder of the records.")]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes; if not given one per core, one with vLLM or a GPU."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Run again what has a record already.")]
ModelOption = Annotated[str, typer.Option("--model", help="A folder, org/name@revision, or a track's name.")]
DataOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Local data sets: a folder of them, or one's own folder.")
]
ModelsOption = Annotated[
    list[str] | None, typer.Option("--model", help="Only this model: a folder, or org/name@revision.")
]
ForgetOption = Annotated[
    Path | None, typer.Option("--forget", help="Questions of your own to be forgotten (JSON lines), with --retain.")
]
RetainOption = Annotated[Path | None, typer.Option("--retain", help="Questions of your own to be kept (JSON lines).")]
BackendChoice = Annotated[
    Backend | None, typer.Option("--backend", help="What generates, if not what the suite says: hf or vllm.")
]
PrecisionOption = Annotated[
    Precision | None, typer.Option("--precision", help="What pretrained models train in, if not what the suite says.")
]
BackendOption = Annotated[Backend, typer.Option("--backend", help="What generates: hf, or vllm (`make vllm`).")]
OUT, RESULTS, SITE = Path("runs"), Path("results"), Path("site")


def plainly(command: Callable) -> Callable:
    """Bad input becomes one line and exit code 2."""

    @wraps(command)
    def wrapped(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except BadInput as error:
            errors.print(f"palimpsest: {error}", markup=False, soft_wrap=True)
        except OSError as error:  # a folder that cannot be made, a disk that is full
            said = f"{error.filename}: {error.strerror}" if error.filename else " ".join(str(error).split())
            errors.print(f"palimpsest: {said}", markup=False, soft_wrap=True)
        raise typer.Exit(2)

    return wrapped


@dataclass(frozen=True)
class Selection:
    """What the command line names of a suite; questions of one's own have a suite of theirs."""

    suite: str | None = None
    tracks: list[str] | None = None
    models: list[str] | None = None
    tasks: list[str] | None = None
    methods: list[str] | None = None
    seeds: list[int] | None = None
    backend: str | None = None
    precision: str | None = None
    own_questions: bool = False

    @property
    def suite_name(self) -> str:
        return self.suite or ("custom" if self.own_questions else "quick")


def _planned(chosen: Selection, out: Path, force: bool, ask: bool = False):
    """The plan of what was chosen; with `ask`, models that nobody has asked yet what they know are asked first."""
    from benchmark.evaluation.vllm_engine import require_backend
    from benchmark.models.store import ArtefactStore
    from benchmark.planning import Planner, restrict
    from benchmark.records.store import ResultStore
    from benchmark.suite import load_suite

    tracks = [*(chosen.tracks or []), *(chosen.models or [])]
    suite, seeds = restrict(
        load_suite(chosen.suite_name), tracks, chosen.tasks or [], chosen.methods or [], chosen.seeds or []
    )
    if chosen.own_questions and "custom" not in suite.tasks:
        raise BadInput(f"--forget, --retain: suite {suite.name} does not ask them; its tasks lack custom")
    wanted = {"backend": chosen.backend, "precision": chosen.precision}
    suite = suite.model_copy(update={name: value for name, value in wanted.items() if value})
    if ask:
        require_backend(suite.backend)
    planner = Planner(ArtefactStore(), ResultStore(out))
    planned = planner.plan(suite, seeds, force)
    if ask and planned.unasked:
        for task, track in planned.unasked:
            console.print(f"asks {track} what it knows of {task}", soft_wrap=True)
            _try_survey(task, track)
        planned = planner.plan(suite, seeds, force)
    nothing = not planned.cells and (ask or not planned.unasked)  # whoever could be asked has been
    if nothing and len(planned.missing) == 1 and not planned.references:
        raise BadInput(f"cannot be run here: {planned.missing[0]}")
    for line in planned.missing:
        errors.print(f"palimpsest: cannot be run here: {line}", markup=False, soft_wrap=True)
    if nothing:
        names = ", ".join(dict.fromkeys(entry.name for entry in suite.methods))
        why = f"none of its methods ({names}) can run on" if planned.references else "nothing can be run here of"
        raise BadInput(f"suite {suite.name}: {why} what is wanted")
    return planned


def _try_survey(task: str, track: str) -> None:
    """A model that cannot be asked is one line, and the others go on."""
    try:
        _survey(task, track)
    except (BadInput, OSError, RuntimeError, ValueError) as error:
        errors.print(f"palimpsest: {track}: {' '.join(str(error).split())}", markup=False, soft_wrap=True)


def _use_questions(forget: Path | None, retain: Path | None) -> None:
    """Tells the task `custom` where somebody's own questions are."""
    if (forget is None) != (retain is None):
        raise BadInput("--forget and --retain go together: what is to be forgotten, and what is to be kept")
    for side, path in (("forget", forget), ("retain", retain)):
        if path is not None and not path.is_file():
            raise BadInput(f"{path}: no such file")
        if path is not None:
            os.environ[f"PALIMPSEST_{side.upper()}"] = str(path.resolve())


def _use_data(folder: Path | None) -> None:
    """Tells tasks, in this process and in its workers, where local data sets are."""
    if folder is None:
        return
    if not folder.is_dir():
        raise BadInput(f"--data-dir {folder}: is not a folder")
    os.environ[DATA_VARIABLE] = str(folder.resolve())


def _estimates(*folders: Path):
    from benchmark.estimates import Estimates
    from benchmark.records.store import ResultStore

    return Estimates(record for folder in folders for record in ResultStore(folder).read_all())


@app.command("list")
@plainly
def list_command() -> None:
    """Suites, tracks, tasks, methods, metrics and attacks."""
    from benchmark.attacks import ATTACKS
    from benchmark.metrics import METRICS
    from benchmark.models.tracks import all_tracks
    from benchmark.planning import known_task_names
    from benchmark.registry import methods
    from benchmark.suite import load_suite, suite_files

    def show(title: str, rows: Sequence[tuple[str, ...]]) -> None:
        table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        console.print(table, "")

    show("suites", [(name, load_suite(name).description) for name in suite_files()])
    show("tracks", [(t.name, t.description) for t in all_tracks()])
    show("tasks", [(name,) for name in known_task_names()])
    show("methods", [(name, cls.family, _sees(cls), _first_line(cls)) for name, cls in methods().items()])
    show("metrics", [(m.id, m.unit, m.description) for m in METRICS.values()])
    show("attacks", [(a.name, a.source) for a in ATTACKS.values()])


def _sees(cls) -> str:
    return "sees " + (", ".join(sorted(cls.sees)) or "nothing")


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().split("\n")[0]


@app.command()
@plainly
def plan(
    suite: SuiteOption = None,
    track: TracksOption = None,
    model: ModelsOption = None,
    task: TasksOption = None,
    method: MethodsOption = None,
    seed: SeedsOption = None,
    forget: ForgetOption = None,
    retain: RetainOption = None,
    data_dir: DataOption = None,
    backend: BackendChoice = None,
    precision: PrecisionOption = None,
    out: OutOption = OUT,
    workers: WorkersOption = None,
    force: ForceOption = False,
) -> None:
    """Shows the cells of a suite, which are cached, and the estimated time; runs nothing."""
    from benchmark.estimates import clock
    from benchmark.execution import default_workers

    _use_data(data_dir)
    _use_questions(forget, retain)
    chosen = Selection(suite, track, model, task, method, seed, backend, precision, own_questions=forget is not None)
    planned = _planned(chosen, out, force)
    estimates, count = _estimates(out, RESULTS), workers or default_workers(planned)
    jobs = {job.id: job for job in planned.jobs}
    table = Table("cell", "id", "state", "seconds")
    for cell in (*planned.references, *planned.cells):
        cached = cell.id in planned.cached
        job = jobs.get(cell.id)
        table.add_row(
            cell.label, cell.id, "cached" if cached else "to run", f"{estimates.seconds(job):.0f}" if job else ""
        )
    console.print(table)
    for line in planned.sizes:
        console.print(line, markup=False, soft_wrap=True)
    models = [job for job in planned.jobs if job.kind in ("base", "model")]
    for job in models:
        console.print(f"model to train: {job.label}, about {clock(estimates.seconds(job))}")
    total = clock(estimates.total(planned.jobs, count))
    counts = f"{len(planned.ids)} cells, {len(planned.cached)} cached, {len(models)} models to train"
    console.print(f"{counts}; about {total} on {count} workers")


@app.command()
@plainly
def run(
    suite: SuiteOption = None,
    track: TracksOption = None,
    model: ModelsOption = None,
    task: TasksOption = None,
    method: MethodsOption = None,
    seed: SeedsOption = None,
    forget: ForgetOption = None,
    retain: RetainOption = None,
    data_dir: DataOption = None,
    backend: BackendChoice = None,
    precision: PrecisionOption = None,
    out: OutOption = OUT,
    workers: WorkersOption = None,
    force: ForceOption = False,
) -> None:
    """Runs what a suite asks for and has no record yet, then prints the ranked table."""
    from benchmark.execution import default_workers, run_plan
    from benchmark.preflight import require_fit
    from benchmark.report import print_standings

    _use_data(data_dir)
    _use_questions(forget, retain)
    chosen = Selection(suite, track, model, task, method, seed, backend, precision, own_questions=forget is not None)
    planned = _planned(chosen, out, force, ask=True)
    require_fit(planned)
    count = workers or default_workers(planned)
    failed = run_plan(planned, out, count, force, _estimates(out, RESULTS), console)
    print_standings(planned, out, console)
    if failed:
        console.print(f"{failed} jobs failed; their error records are in {out}, and the next run tries them again")


@app.command()
@plainly
def validate(
    results: Annotated[Path, typer.Argument(help="Folder of the records.")] = RESULTS,
    suite: Annotated[str | None, typer.Option("--suite", help="Also require every record of this suite.")] = None,
) -> None:
    """Checks schema, hashes and references, and recomputes every value from its samples."""
    from rich.progress import Progress

    from benchmark.planning import require_finished
    from benchmark.records.store import ResultStore
    from benchmark.records.validation import Folder
    from benchmark.records.validation import validate as validate_folder

    folder = Folder(ResultStore(results))
    if not folder.records and not folder.unreadable:
        raise BadInput(f"{results}: no records")
    with Progress(console=errors, transient=True) as progress:
        bar = progress.add_task("recomputing", total=len(folder.records))
        findings = validate_folder(folder, lambda done: progress.update(bar, completed=done))
    for finding in findings:
        errors.print(str(finding), markup=False, soft_wrap=True)
    if suite:
        require_finished(_planned(Selection(suite), results, False))
    if findings:
        errors.print(f"palimpsest: {len(findings)} findings in {results}", soft_wrap=True)
        raise typer.Exit(2)
    values = sum(len(record.values) for record in folder.records.values())
    console.print(f"{len(folder.records)} records valid, {values} values recomputed from their samples")


@app.command()
@plainly
def export(
    out: Annotated[Path, typer.Option("--out", help="A .csv or .parquet file.")],
    results: ResultsOption = RESULTS,
) -> None:
    """Writes every value, axis and score as one long table."""
    from benchmark.report import published_standings

    writers: dict[str, Callable] = {
        ".csv": lambda frame: partial(frame.to_csv, index=False),
        ".parquet": lambda frame: partial(frame.to_parquet, index=False),
    }
    if out.suffix not in writers:
        raise BadInput(f"{out}: the name must end in .csv or .parquet")
    frame: pd.DataFrame = published_standings(results).table
    out.parent.mkdir(parents=True, exist_ok=True)
    writers[out.suffix](frame)(out)
    console.print(f"{len(frame)} rows in {out}")


@app.command()
@plainly
def report(
    task: Annotated[str, typer.Argument(help="A task's name, as `frequency`.")],
    results: ResultsOption = RESULTS,
) -> None:
    """Says what the records hold about one task: what is left, at which cost, on the way and at the end."""
    from benchmark.report import print_task

    print_task(task, results, Console(highlight=False, width=None if sys.stdout.isatty() else 200))


@app.command()
@plainly
def site(
    results: ResultsOption = RESULTS,
    out: Annotated[Path, typer.Option("--out", help="Folder of the pages.")] = SITE,
) -> None:
    """Renders the leaderboard as static pages."""
    build = importlib.import_module("leaderboard.build")  # the pages are no part of the engine
    page = build.build_site(results, out)
    console.print(f"leaderboard: {page.resolve()}", soft_wrap=True)


@app.command()
@plainly
def evaluate(
    model: ModelOption,
    task: Annotated[str, typer.Option("--task", help="One task variant, as `tofu/forget01`.")],
    data_dir: DataOption = None,
    forget: ForgetOption = None,
    retain: RetainOption = None,
    original: Annotated[
        str | None,
        typer.Option("--original", help="The model before unlearning: real_entities asks what this one knows."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only so many rows of each split.")] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="A model that never saw the forgotten, to compare with.")
    ] = None,
    backend: BackendOption = "hf",
    harness: Annotated[str, typer.Option("--harness", help="Also an lm-eval group: palimpsest, jang, yuan.")] = "",
    precision: Annotated[
        Precision,
        typer.Option("--precision", help="bfloat16 is faster, and moves greedy metrics."),
    ] = "float32",
    samples: Annotated[
        int | None, typer.Option("--samples", min=0, max=64, help="Answers drawn to each question, for leak_at_k.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Of the CPU; all if not given.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
) -> None:
    """Scores a checkpoint made anywhere on a task, without running a method. Nothing is ranked."""
    from benchmark.evaluate import evaluate as score
    from benchmark.evaluation.vllm_engine import EngineDied, require_backend
    from benchmark.execution import cores, prepare_worker

    if forget and task != "custom":
        raise BadInput(f"--forget, --retain: {task} does not ask them, custom does")
    _use_data(data_dir)
    _use_questions(forget, retain)
    require_backend(backend)
    prepare_worker(threads or cores())
    try:
        found = score(model, task, reference, limit, backend, harness, precision, original, samples)
    except EngineDied as error:
        raise BadInput(str(error)) from None
    table = Table("split", "metric", "value", "reference", "better", "unit", "n", "failed", box=SIMPLE_HEAD)
    for row in found.table().to_dict("records"):
        numbers = (
            "–" if number is None or pd.isna(number) else f"{number:.4f}" for number in (row["value"], row["reference"])
        )
        counts = str(row["n"]), str(row["failed"] or "")
        table.add_row(row["split"], row["metric"], *numbers, row["better"], row["unit"], *counts)
    console.print(table)
    if not reference:
        console.print("Forget quality compares with a model that never read what is forgotten: `--reference` names it.")
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found.seconds.items())
    console.print(f"{sum(found.seconds.values()):.1f} s in all: {spent}", soft_wrap=True)
    console.print("An evaluation alone: nothing is ranked" + (f", {limit} rows of each split." if limit else "."))
    if json_file:
        found.write(json_file)


@app.command()
@plainly
def survey(
    task: Annotated[str, typer.Option("--task", help="A task whose data depend on what the model knows.")],
    track: Annotated[str, typer.Option("--track", help="A track, org/name@revision, or a folder.")],
) -> None:
    """Asks a pretrained model what it knows of a task's facts, which `run` needs to choose from."""
    console.print(f"what {track} knows of {task}: {_survey(task, track)}", soft_wrap=True)


def _survey(task: str, track: str) -> Path:
    from rich.progress import Progress

    from benchmark.execution import cores, prepare_worker
    from benchmark.models.store import ArtefactStore
    from benchmark.survey import survey as ask

    prepare_worker(cores())
    with Progress(console=errors, transient=True) as progress:
        bar = progress.add_task("asking", total=None)

        def hear(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)
            if not errors.is_terminal:
                errors.print(f"{done} of {total} facts asked for", markup=False)

        return ask(task, track, ArtefactStore(), hear)


@app.command()
@plainly
def perf(
    model: Annotated[
        str, typer.Option("--model", help="A folder, org/name@revision, or a track's name.")
    ] = "smollm2-135m",
    quick: Annotated[bool, typer.Option("--quick", help="Fewer points.")] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the rows to this file.")] = None,
) -> None:
    """Measures generation, scoring and training here, against the machine's own peak, and the reuse of an engine."""
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from benchmark.models.pretrained import models_named
    from benchmark.perf import measure

    folder = models_named(model).base()
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=errors, transient=True) as progress:
        bar = progress.add_task("measuring", total=None)
        rows = measure(folder, lambda said: progress.update(bar, description=said), quick)
    table = Table(*rows.columns, box=SIMPLE_HEAD)
    for row in rows.to_dict("records"):
        share = "" if pd.isna(row["share_of_peak"]) else f"{row['share_of_peak']:.1%}"
        first = (str(row[name]) for name in ("what", "backend", "precision", "batch"))
        table.add_row(*first, f"{row['value']:.4g}", row["unit"], share)
    console.print(table)
    if csv:
        csv.parent.mkdir(parents=True, exist_ok=True)
        rows.to_csv(csv, index=False)


@app.command()
@plainly
def doctor() -> None:
    """Says what is installed, what the machine is, what will not run and how to get it."""
    from benchmark.doctor import examine_machine
    from benchmark.models.store import ArtefactStore

    table = Table("what", "found", "to do")
    findings = examine_machine(ArtefactStore().home)
    for finding in findings:
        table.add_row(finding.what, finding.found, finding.remedy or "[green]ok[/]")
    console.print(table)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(app())


if __name__ == "__main__":
    main()
