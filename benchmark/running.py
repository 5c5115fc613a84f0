"""Running: what a worker does for a job, from unlearning to a written record."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from benchmark.attacks import ATTACKS
from benchmark.checkpoints import Checkpoints
from benchmark.data import EVALUATED_SPLITS, Example, to_examples
from benchmark.evaluation.degrees import degrees, strata_of, with_strata
from benchmark.evaluation.examine import examine
from benchmark.evaluation.general import harness_samples
from benchmark.evaluation.subjects import weights_of
from benchmark.method import create, source_hash
from benchmark.metrics import METRICS, Sample
from benchmark.metrics.distribution import SUMMARIES
from benchmark.metrics.stages import MODEL_STAGE, request_stage
from benchmark.metrics.values import Value, example_frame, metric_values
from benchmark.models import models_of
from benchmark.models.loading import computing_for, gpu_name
from benchmark.models.store import ArtefactStore, made_of
from benchmark.planning import HARNESS_ITEMS, TARGET_SEED, Cell, Job, Variant
from benchmark.records.provenance import PROJECT, collect
from benchmark.records.samples import samples_to_bytes, sha256
from benchmark.records.schema import (
    ORACLE,
    SCHEMA_VERSION,
    TARGET,
    BudgetInfo,
    Cost,
    Failure,
    MethodInfo,
    MetricValue,
    ModelInfo,
    Record,
    References,
    SamplesInfo,
    TaskInfo,
)
from benchmark.records.store import ResultStore, read_record
from benchmark.registry import method_named
from benchmark.stopwatch import Stopwatch
from benchmark.unlearning import REQUEST_SPLITS, Bench, unlearn


@dataclass(frozen=True)
class Workplace:
    """Where artefacts are kept and results are written, whether existing records are replaced, threads of a worker."""

    home: Path
    out: Path
    force: bool = False
    threads: int = 1

    @property
    def store(self) -> ArtefactStore:
        return ArtefactStore(self.home)

    @property
    def results(self) -> ResultStore:
        return ResultStore(self.out)


def execute(job: Job, place: Workplace) -> str:
    """Does a job; returns "ok", or the error that was recorded. Errors of models themselves are raised."""
    variant = job.variant
    models = models_of(variant.track, place.store)
    _reset_torch(place.threads)
    if job.kind == "base":
        models.base()
    elif job.kind == "model":
        models.trained(variant.documents(job.unseen), job.seed)
    elif job.kind == "references":
        return _recorded(job.cells, variant, place, lambda: _measure_references(job.cells, variant, place))
    else:
        checkpoints = Checkpoints(place.store, job.cells[0].id, models.load_model)
        if place.force:
            checkpoints.clear()
        message = _recorded(job.cells, variant, place, lambda: _measure_cell(job.cells[0], variant, place, checkpoints))
        checkpoints.clear()
        return message
    return "ok"


def _reset_torch(threads: int) -> None:
    """Undoes what a method before this job may have set for the whole process."""
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.set_num_threads(threads)


def _recorded(cells: Sequence[Cell], variant: Variant, place: Workplace, measure) -> str:
    """Runs `measure`, which writes the records of `cells`; whatever it raises becomes their error records."""
    lock = place.home / "locks" / f"{cells[0].id}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(lock)):
        if not place.force and all(cell.is_done(place.results) for cell in cells):
            return "ok"
        try:
            measure()
        except BaseException as error:  # any failure of a cell is its result, an exit() too; the run goes on
            failure = Failure(type=type(error).__name__, message=_last_line(error), traceback=_traceback())
            write_failure(cells, variant, failure, place.results)
            return failure.message
    return "ok"


def _traceback() -> str:
    """The traceback of the exception at hand, without the paths of this machine."""
    return traceback.format_exc().replace(f"{PROJECT}/", "").replace(f"{Path.home()}/", "~/")


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()


def write_failure(cells: Sequence[Cell], variant: Variant, failure: Failure, results: ResultStore) -> None:
    """Error records for cells whose work failed or whose process died."""
    for cell in cells:
        record = Record(
            schema_version=SCHEMA_VERSION,
            id=cell.id,
            status="error",
            track=cell.track,
            task=TaskInfo(
                name=cell.task, version=variant.definition.version, variant=cell.variant, data_fingerprint=""
            ),
            model=None,
            method=_method_info(cell),
            seed=cell.seed,
            budget=_budget(variant),
            references=_references(cell, variant),
            values=[],
            samples=None,
            provenance=collect(Cost(steps=0, tokens=0, seconds={}), 1, gpu_name(), variant.track.precision, {}),
            error=failure,
        )
        results.write(record, None)


def _budget(variant: Variant) -> BudgetInfo:
    return BudgetInfo(steps=variant.budget.steps, batch_size=variant.budget.batch_size)


def _references(cell: Cell, variant: Variant) -> References:
    return References(target=cell.target_id, oracles=list(cell.oracle_ids), proxy=bool(variant.data.proxies))


def _method_info(cell: Cell) -> MethodInfo:
    if cell.method in (TARGET, ORACLE):
        return MethodInfo(
            name=cell.method, reference="", family="reference", sees=[], anchor=True, source_hash="", parameters={}
        )
    cls = method_named(cell.method)
    return MethodInfo(
        name=cls.name,
        reference=cls.reference,
        family=cls.family,
        sees=sorted(cls.sees),
        anchor=cls.anchor,
        source_hash=source_hash(cls),
        parameters=create(cls, cell.parameters).parameters,
    )


def _measure_cell(cell: Cell, variant: Variant, place: Workplace, checkpoints: Checkpoints) -> None:
    """Unlearns, evaluates, attacks, and writes the cell's record."""
    models = models_of(variant.track, place.store)
    target_folder = models.trained(variant.documents(0), TARGET_SEED)
    target, tokenizer = models.load(target_folder)
    bench = Bench(cell, variant, models, tokenizer, Stopwatch())
    progress = unlearn(bench, target, checkpoints)
    samples = progress.samples + _examine_all(progress.result, bench)
    target_samples = _reference_samples(cell, TARGET, cell.target_id, place)
    samples = with_strata(samples, strata_of(target_samples))
    oracles = [example_frame(_reference_samples(cell, ORACLE, i, place)) for i in cell.oracle_ids]
    values = metric_values(example_frame(samples), oracles)
    made = ModelInfo(fingerprint=target_folder.name, made=made_of(target_folder))
    cost = Cost(steps=progress.steps, tokens=progress.tokens, seconds=bench.clock.seconds)
    _write(cell, variant, made, samples, values, cost, place)


def _examine_all(result: Any, bench: Bench) -> list[Sample]:
    """Samples of the result itself, on all splits and the harness, and of the result under each attack."""
    variant, subject = bench.variant, bench.subject(result)
    with bench.clock.stage("evaluate"):
        splits = {name: variant.data.examples(name) for name in EVALUATED_SPLITS}
        samples = examine(subject, splits, MODEL_STAGE, variant.generation)
    if variant.harness:
        with bench.clock.stage("harness"):
            samples += harness_samples(subject, variant.harness, HARNESS_ITEMS)
    return samples + _examine_attacked(result, variant.data.examples("forget"), bench)


def _examine_attacked(result: Any, forget: Sequence[Example], bench: Bench) -> list[Sample]:
    """Samples of what is to be forgotten after each attack."""
    samples: list[Sample] = []
    for name, attack in ATTACKS.items():
        model, track, seed = weights_of(result), bench.variant.track, bench.cell.seed
        with bench.clock.stage(name):
            with computing_for(track, model):
                attacked = attack.apply(model, bench.tokenizer, forget, track, seed)
            subject = bench.subject(attacked)
            samples += examine(subject, {"forget": attack.scored(forget)}, name, bench.variant.generation)
    return samples


@dataclass(frozen=True)
class _Reference:
    """A target or an oracle, measured."""

    cell: Cell
    info: ModelInfo
    samples: list[Sample]
    seconds: dict[str, float]


def _measure_references(cells: Sequence[Cell], variant: Variant, place: Workplace) -> None:
    """Evaluates the target and every oracle once; an oracle is compared with the other oracles only."""
    target = _measure_reference(cells[0], variant, place)
    proxy = variant.data.proxies
    oracles = [
        _measure_proxy(cell, variant, place, target) if proxy else _measure_reference(cell, variant, place)
        for cell in cells[1:]
    ]
    strata = degrees(target.samples, [o.samples for o in oracles]) if variant.definition.degrees else {}
    marked = {r.cell.id: with_strata(r.samples, strata) for r in (target, *oracles)}
    frames = {record_id: example_frame(samples) for record_id, samples in marked.items()}
    for reference in (target, *oracles):
        cell, made = reference.cell, reference.info.made
        others = [frames[i] for i in cell.oracle_ids if i != cell.id]
        cost = Cost(steps=made["steps"], tokens=made["tokens"], seconds=reference.seconds)
        _write(cell, variant, reference.info, marked[cell.id], metric_values(frames[cell.id], others), cost, place)


def _measure_reference(cell: Cell, variant: Variant, place: Workplace) -> _Reference:
    """Samples of the target, or of an oracle: its last model in full, and on the way those for earlier requests."""
    models = models_of(variant.track, place.store)
    *earlier, last = variant.readings(cell.seed)
    folder = models.trained(variant.documents(last), cell.seed)
    model, tokenizer = models.load(folder)
    bench = Bench(cell, variant, models, tokenizer, Stopwatch())
    samples: list[Sample] = []
    for unseen in earlier:
        with bench.clock.stage("requests"):
            on_the_way = models.load_model(models.trained(variant.documents(unseen), cell.seed))
            samples += bench.look(bench.subject(on_the_way), REQUEST_SPLITS, request_stage(unseen))
    samples += _examine_all(model, bench)
    return _Reference(cell, ModelInfo(fingerprint=folder.name, made=made_of(folder)), samples, bench.clock.seconds)


def _measure_proxy(cell: Cell, variant: Variant, place: Workplace, target: _Reference) -> _Reference:
    """The target again, asked about subjects that never existed in place of the forgotten: what not knowing looks like.

    All else is as the target answered it.
    """
    models = models_of(variant.track, place.store)
    model, tokenizer = models.load(models.trained(variant.documents(0), TARGET_SEED))
    bench = Bench(cell, variant, models, tokenizer, Stopwatch())
    asked = to_examples(variant.data.proxies[cell.seed - 1])
    samples = [s for s in target.samples if s.stage == MODEL_STAGE and s.split != "forget"]
    with bench.clock.stage("evaluate"):
        samples += examine(bench.subject(model), {"forget": asked}, MODEL_STAGE, variant.generation)
    samples += _examine_attacked(model, asked, bench)
    made = {"made": f"proxy reference {cell.seed}: the target, asked about subjects that never existed"}
    info = ModelInfo(fingerprint=target.info.fingerprint, made=made | {"steps": 0, "tokens": 0})
    return _Reference(cell, info, samples, bench.clock.seconds)


def _reference_samples(cell: Cell, role: str, record_id: str, place: Workplace) -> list[Sample]:
    path = place.results.path(cell.track, cell.task, cell.variant, role, record_id)
    return place.results.samples_of(read_record(path))


def _metric_value(value: Value) -> MetricValue:
    metric = METRICS.get(value.metric)
    better, unit, version = (metric.better, metric.unit, metric.version) if metric else SUMMARIES[value.metric]
    return MetricValue(**vars(value), version=version, better=better, unit=unit)


def _write(
    cell: Cell,
    variant: Variant,
    model: ModelInfo,
    samples: Sequence[Sample],
    values: Sequence[Value],
    cost: Cost,
    place: Workplace,
) -> None:
    content = samples_to_bytes(samples)
    record = Record(
        schema_version=SCHEMA_VERSION,
        id=cell.id,
        status="ok",
        track=cell.track,
        task=TaskInfo(
            name=cell.task,
            version=variant.definition.version,
            variant=cell.variant,
            data_fingerprint=variant.data_fingerprint,
        ),
        model=model,
        method=_method_info(cell),
        seed=cell.seed,
        budget=_budget(variant),
        references=_references(cell, variant),
        values=[_metric_value(v) for v in values],
        samples=SamplesInfo(file=f"{cell.id}.samples.parquet", sha256=sha256(content), rows=len(samples)),
        provenance=collect(cost, torch.get_num_threads(), gpu_name(), variant.track.precision, variant.settings),
        error=None,
    )
    place.results.write(record, content)
