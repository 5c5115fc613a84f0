"""Measuring: outputs of a method's result, of targets and oracles, and of each of them under
attack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.attacks import ATTACKS
from benchmark.core.examples import Example, to_examples
from benchmark.evaluation.general_utility import harness_samples
from benchmark.evaluation.outputs import examine
from benchmark.evaluation.reference_strata import difficulty_strata, strata_of, with_strata
from benchmark.inference.predictors import weights_of
from benchmark.metrics import Sample
from benchmark.metrics.stages import MODEL_STAGE, request_stage
from benchmark.metrics.values import example_frame, metric_values
from benchmark.models import models_of
from benchmark.models.artifacts import made_of
from benchmark.models.placement import computing_for
from benchmark.pipeline.checkpoints import Checkpoints
from benchmark.pipeline.plan import Cell
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.unlearn import REQUEST_SPLITS, CellRun, unlearn
from benchmark.pipeline.variant import HARNESS_ITEMS, TARGET_SEED, Variant
from benchmark.pipeline.write_record import write_success
from benchmark.records.schema import (
    ORACLE,
    TARGET,
    Cost,
    ModelInfo,
)
from benchmark.records.store import read_record
from benchmark.runtime.stopwatch import Stopwatch


def measure_cell(
    cell: Cell, variant: Variant, context: RunContext, checkpoints: Checkpoints
) -> None:
    """Unlearns, evaluates, attacks, and writes the cell's record."""
    models = models_of(variant.track, context.inputs)
    target_folder = models.trained(variant.documents(0), TARGET_SEED)
    target, tokenizer = models.load(target_folder)
    run = CellRun(cell, variant, models, tokenizer, Stopwatch())
    progress = unlearn(run, target, checkpoints)
    samples = progress.samples + _examine_all(progress.result, run)
    target_samples = _reference_samples(cell, TARGET, cell.target_id, context)
    samples = with_strata(samples, strata_of(target_samples))
    oracles = [example_frame(_reference_samples(cell, ORACLE, i, context)) for i in cell.oracle_ids]
    values = metric_values(example_frame(samples), oracles)
    made = ModelInfo(fingerprint=target_folder.name, made=made_of(target_folder))
    cost = Cost(steps=progress.steps, tokens=progress.tokens, seconds=run.clock.seconds)
    write_success(cell, variant, made, samples, values, cost, context)


def _examine_all(result: Any, run: CellRun) -> list[Sample]:
    """Samples of the result itself, on all splits and the harness, and of the result under each
    attack.
    """
    variant, predictor = run.variant, run.predictor(result)
    with run.clock.stage("evaluate"):
        samples = examine(predictor, variant.data.evaluated, MODEL_STAGE, variant.generation)
    if variant.harness:
        with run.clock.stage("harness"):
            samples += harness_samples(predictor, variant.harness, HARNESS_ITEMS)
    return samples + _examine_attacked(result, variant.data.examples("forget"), run)


def _examine_attacked(result: Any, forget: Sequence[Example], run: CellRun) -> list[Sample]:
    """Samples of what is to be forgotten after each attack."""
    samples: list[Sample] = []
    for name, attack in ATTACKS.items():
        model, track, seed = weights_of(result), run.variant.track, run.cell.seed
        with run.clock.stage(name):
            with computing_for(track, model):
                attacked = attack.apply(model, run.tokenizer, forget, track, seed)
            predictor = run.predictor(attacked)
            samples += examine(
                predictor, {"forget": attack.scored(forget)}, name, run.variant.generation
            )
    return samples


@dataclass(frozen=True)
class _Reference:
    """A target or an oracle, measured."""

    cell: Cell
    info: ModelInfo
    samples: list[Sample]
    seconds: dict[str, float]


def measure_references(cells: Sequence[Cell], variant: Variant, context: RunContext) -> None:
    """Evaluates the target and every oracle once; an oracle is compared with the other oracles
    only.
    """
    target = _measure_reference(cells[0], variant, context)
    proxy = variant.data.proxies
    oracles = [
        _measure_proxy(cell, variant, context, target)
        if proxy
        else _measure_reference(cell, variant, context)
        for cell in cells[1:]
    ]
    strata = (
        difficulty_strata(target.samples, [o.samples for o in oracles])
        if variant.definition.difficulty
        else {}
    )
    marked = {r.cell.id: with_strata(r.samples, strata) for r in (target, *oracles)}
    frames = {record_id: example_frame(samples) for record_id, samples in marked.items()}
    for reference in (target, *oracles):
        cell, made = reference.cell, reference.info.made
        others = [frames[i] for i in cell.oracle_ids if i != cell.id]
        cost = Cost(steps=made["steps"], tokens=made["tokens"], seconds=reference.seconds)
        write_success(
            cell,
            variant,
            reference.info,
            marked[cell.id],
            metric_values(frames[cell.id], others),
            cost,
            context,
        )


def _measure_reference(cell: Cell, variant: Variant, context: RunContext) -> _Reference:
    """Samples of the target, or of an oracle: its last model in full, and on the way those for
    earlier requests.
    """
    models = models_of(variant.track, context.inputs)
    *earlier, last = variant.readings(cell.seed)
    folder = models.trained(variant.documents(last), cell.seed)
    model, tokenizer = models.load(folder)
    run = CellRun(cell, variant, models, tokenizer, Stopwatch())
    samples: list[Sample] = []
    for unseen in earlier:
        with run.clock.stage("requests"):
            on_the_way = models.load_model(models.trained(variant.documents(unseen), cell.seed))
            samples += run.look(run.predictor(on_the_way), REQUEST_SPLITS, request_stage(unseen))
    samples += _examine_all(model, run)
    return _Reference(
        cell, ModelInfo(fingerprint=folder.name, made=made_of(folder)), samples, run.clock.seconds
    )


def _measure_proxy(
    cell: Cell, variant: Variant, context: RunContext, target: _Reference
) -> _Reference:
    """The target again, asked about subjects that never existed instead: what not knowing looks
    like.

    All else is as the target answered it.
    """
    models = models_of(variant.track, context.inputs)
    model, tokenizer = models.load(models.trained(variant.documents(0), TARGET_SEED))
    run = CellRun(cell, variant, models, tokenizer, Stopwatch())
    asked = to_examples(variant.data.proxies[cell.seed - 1])
    samples = [s for s in target.samples if s.stage == MODEL_STAGE and s.split != "forget"]
    with run.clock.stage("evaluate"):
        samples += examine(run.predictor(model), {"forget": asked}, MODEL_STAGE, variant.generation)
    samples += _examine_attacked(model, asked, run)
    made = {
        "made": f"proxy reference {cell.seed}: the target, asked about subjects that never existed"
    }
    info = ModelInfo(fingerprint=target.info.fingerprint, made=made | {"steps": 0, "tokens": 0})
    return _Reference(cell, info, samples, run.clock.seconds)


def _reference_samples(cell: Cell, role: str, record_id: str, context: RunContext) -> list[Sample]:
    path = context.results.path(cell.track, cell.task, cell.variant, role, record_id)
    return context.results.samples_of(read_record(path))
