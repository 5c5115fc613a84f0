"""Running: what a worker does for a job, from unlearning to a written record."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock

from benchmark.attacks import ATTACKS
from benchmark.data import EVALUATED_SPLITS, Example, Meter, Pair, Request, TaskData
from benchmark.evaluation.examine import examine
from benchmark.evaluation.generation import GenerationSettings
from benchmark.evaluation.subjects import ModelSubject, subject_of, weights_of
from benchmark.method import Method, create, source_hash
from benchmark.metrics import METRICS, Sample
from benchmark.metrics.distribution import SUMMARIES
from benchmark.metrics.values import MODEL_STAGE, Value, example_frame, metric_values
from benchmark.models.controlled import ControlledModels, load
from benchmark.models.store import ArtefactStore, made_of
from benchmark.models.tracks import track_named
from benchmark.planning import PRECISION, RETRAIN_SEED, TARGET_SEED, Cell, Job, Variant
from benchmark.records.provenance import PROJECT, collect
from benchmark.records.samples import samples_to_bytes, sha256
from benchmark.records.schema import (
    ORACLE,
    SCHEMA_VERSION,
    TARGET,
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
from benchmark.registry import method_named, task_named


class UselessModel(RuntimeError):
    """What a method returned cannot be evaluated."""


@dataclass
class Stopwatch:
    """Wall seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0) + time.perf_counter() - started, 3)


@dataclass(frozen=True)
class Workplace:
    """Where artefacts are kept and results are written, and whether existing records are replaced."""

    home: Path
    out: Path
    force: bool = False

    @property
    def store(self) -> ArtefactStore:
        return ArtefactStore(self.home)

    @property
    def results(self) -> ResultStore:
        return ResultStore(self.out)


def execute(job: Job, place: Workplace) -> str:
    """Does a job; returns "ok", or the error that was recorded. Errors of models themselves are raised."""
    variant = Variant(track_named(job.track), job.task, job.variant, job.oracles)
    models = ControlledModels(variant.track, place.store)
    _reset_torch()
    if job.kind == "base":
        models.base()
    elif job.kind == "model":
        models.trained(variant.documents(job.seed), job.seed)
    elif job.kind == "references":
        return _recorded(job.cells, place, lambda: _measure_references(job.cells, variant, place))
    else:
        return _recorded(job.cells, place, lambda: _measure_cell(job.cells[0], variant, place))
    return "ok"


def _reset_torch() -> None:
    """Undoes what a method before this job may have set for the whole process."""
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.set_num_threads(1)


def _seed_everything(seed: int) -> None:
    """The generators of the process, for methods that do not bring their own."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _recorded(cells: Sequence[Cell], place: Workplace, measure) -> str:
    """Runs `measure`, which writes the records of `cells`; whatever it raises becomes their error records."""
    lock = place.home / "locks" / f"{cells[0].id}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(lock)):
        if not place.force and all(cell.path(place.results).is_file() for cell in cells):
            return "ok"
        try:
            measure()
        except BaseException as error:  # any failure of a cell is its result, an exit() too; the run goes on
            failure = Failure(type=type(error).__name__, message=_last_line(error), traceback=_traceback())
            write_failure(cells, failure, place.results)
            return failure.message
    return "ok"


def _traceback() -> str:
    """The traceback of the exception at hand, without the paths of this machine."""
    return traceback.format_exc().replace(f"{PROJECT}/", "").replace(f"{Path.home()}/", "~/")


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()


def write_failure(cells: Sequence[Cell], failure: Failure, results: ResultStore) -> None:
    """Error records for cells whose work failed or whose process died."""
    for cell in cells:
        version = task_named(cell.task).version
        record = Record(
            schema_version=SCHEMA_VERSION,
            id=cell.id,
            status="error",
            track=cell.track,
            task=TaskInfo(name=cell.task, version=version, variant=cell.variant, data_fingerprint=""),
            model=None,
            method=_method_info(cell),
            seed=cell.seed,
            references=References(target=cell.target_id, oracles=list(cell.oracle_ids)),
            values=[],
            samples=None,
            provenance=collect(Cost(steps=0, tokens=0, seconds={}), 1, "none", PRECISION, {}),
            error=failure,
        )
        results.write(record, None)


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


def _splits(data: TaskData) -> dict[str, list[Example]]:
    return {name: data.examples(name) for name in EVALUATED_SPLITS}


def _measure_cell(cell: Cell, variant: Variant, place: Workplace) -> None:
    """Unlearns, evaluates, attacks, and writes the cell's record."""
    clock, meter = Stopwatch(), Meter()
    models = ControlledModels(variant.track, place.store)
    target_folder = models.trained(variant.documents(TARGET_SEED), TARGET_SEED)
    target, tokenizer = load(target_folder)
    method = create(method_named(cell.method), cell.parameters)
    request = _request(cell, method, variant, models, tokenizer, meter)
    _seed_everything(cell.seed)
    with clock.stage("unlearn"):
        result = checked(method.unlearn(target, request))
    samples = _examine_all(result, tokenizer, variant, cell.seed, clock)
    oracles = [example_frame(_reference_samples(cell, i, place)) for i in cell.oracle_ids]
    values = metric_values(example_frame(samples), oracles)
    made = ModelInfo(fingerprint=target_folder.name, made=made_of(target_folder))
    _write(
        cell, variant, made, samples, values, Cost(steps=meter.steps, tokens=meter.tokens, seconds=clock.seconds), place
    )


def _request(cell: Cell, method: Method, variant: Variant, models, tokenizer, meter: Meter) -> Request:
    """What the method is given: only the information that it declares, and nothing from evaluation."""

    def retrain():
        folder = models.trained(variant.data.oracle_documents, RETRAIN_SEED + cell.seed)
        made = made_of(folder)
        meter.steps, meter.tokens = made["steps"], made["tokens"]
        return load(folder)[0]

    sees = type(method).sees
    return Request(
        forget=_as_pairs(variant.data.splits["forget"]) if "forget" in sees else [],
        retain=_as_pairs(variant.data.retain_pool) if "retain" in sees else [],
        tokenizer=tokenizer,
        seed=cell.seed,
        budget=variant.track.budget,
        meter=meter,
        retrain=retrain if "training" in sees else None,
    )


def _as_pairs(dataset) -> list[Pair]:
    return [Pair(prompt, answer) for prompt, answer in zip(dataset["prompt"], dataset["answer"], strict=True)]


def checked(result: Any) -> Any:
    """What a method returned, if it can be evaluated; UselessModel says why not."""
    if result is None:
        raise UselessModel("the method returned nothing; unlearn() must return the model")
    model = weights_of(result)
    if not isinstance(model, torch.nn.Module):
        raise UselessModel(f"the method returned {type(result).__name__}, not a model")
    broken = [name for name, p in model.named_parameters() if not torch.isfinite(p).all()]
    if broken:
        raise UselessModel(f"{len(broken)} weights of the returned model are NaN or infinite, first {broken[0]}")
    model.eval()
    return result


def _examine_all(result: Any, tokenizer, variant: Variant, seed: int, clock: Stopwatch) -> list[Sample]:
    """Samples of the result itself and of the result under each attack."""
    settings, data = GenerationSettings(), variant.data
    with clock.stage("evaluate"):
        samples = examine(subject_of(result, tokenizer, settings), _splits(data), MODEL_STAGE)
    forget = data.examples("forget")
    for name, attack in ATTACKS.items():
        with clock.stage(name):
            attacked = attack.apply(weights_of(result), tokenizer, forget, variant.track.budget, seed)
            subject = ModelSubject(attacked, tokenizer, settings)
            samples += examine(subject, {"forget": attack.scored(forget)}, name)
    return samples


def _measure_references(cells: Sequence[Cell], variant: Variant, place: Workplace) -> None:
    """Evaluates the target and every oracle once; an oracle is compared with the other oracles only."""
    models = ControlledModels(variant.track, place.store)
    measured: dict[str, tuple[Cell, ModelInfo, list[Sample], pd.DataFrame, Stopwatch]] = {}
    for cell in cells:
        clock = Stopwatch()
        folder = models.trained(variant.documents(cell.seed), cell.seed)
        model, tokenizer = load(folder)
        samples = _examine_all(model, tokenizer, variant, cell.seed, clock)
        info = ModelInfo(fingerprint=folder.name, made=made_of(folder))
        measured[cell.id] = (cell, info, samples, example_frame(samples), clock)
    for cell_id, (cell, info, samples, frame, clock) in measured.items():
        others = [measured[i][3] for i in cell.oracle_ids if i != cell_id]
        cost = Cost(steps=info.made["steps"], tokens=info.made["tokens"], seconds=clock.seconds)
        _write(cell, variant, info, samples, metric_values(frame, others), cost, place)


def _reference_samples(cell: Cell, record_id: str, place: Workplace) -> list[Sample]:
    path = place.results.path(cell.track, cell.task, cell.variant, ORACLE, record_id)
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
    generation = GenerationSettings().as_dict()
    record = Record(
        schema_version=SCHEMA_VERSION,
        id=cell.id,
        status="ok",
        track=cell.track,
        task=TaskInfo(
            name=cell.task,
            version=task_named(cell.task).version,
            variant=cell.variant,
            data_fingerprint=variant.data_fingerprint,
        ),
        model=model,
        method=_method_info(cell),
        seed=cell.seed,
        references=References(target=cell.target_id, oracles=list(cell.oracle_ids)),
        values=[_metric_value(v) for v in values],
        samples=SamplesInfo(file=f"{cell.id}.samples.parquet", sha256=sha256(content), rows=len(samples)),
        provenance=collect(cost, torch.get_num_threads(), "none", PRECISION, generation),
        error=None,
    )
    place.results.write(record, content)
