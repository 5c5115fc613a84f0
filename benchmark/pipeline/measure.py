"""Measures the outputs of unlearned models, targets and oracles, without and under attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.core.attack import Attack, Measurement
from benchmark.core.examples import Example, to_examples
from benchmark.errors import BadInput
from benchmark.evaluation.general_utility import harness_samples
from benchmark.evaluation.outputs import examine, measured_sample, scored_alone
from benchmark.evaluation.reference_strata import Strata, difficulty_strata, strata_of, with_strata
from benchmark.inference.predictors import Predictor
from benchmark.inference.unlearned import as_unlearned, weights_digest
from benchmark.metrics import Sample
from benchmark.metrics.base import MEMBERSHIP_HOLDOUT
from benchmark.metrics.frames import example_frame
from benchmark.metrics.stages import HARNESS, MODEL_STAGE, point_stage, request_stage
from benchmark.metrics.values import metric_values
from benchmark.models import models_of
from benchmark.models.artifacts import made_of
from benchmark.models.placement import computing_for, looking_at
from benchmark.pipeline.checkpoints import Checkpoints
from benchmark.pipeline.plan import Cell
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.stages import StoredStages
from benchmark.pipeline.unlearn import REQUEST_SPLITS, CellRun, run_of, unlearn, unlearned
from benchmark.pipeline.variant import HARNESS_ITEMS, TARGET_SEED, Variant
from benchmark.pipeline.write_record import (
    by_stage,
    provenance_of,
    reference_info,
    write_success,
)
from benchmark.records.frames import has_outputs
from benchmark.records.identity import ORACLE, TARGET
from benchmark.records.outputs import DECIMALS
from benchmark.records.schema import Cost, Provenance, Record
from benchmark.records.store import read_record
from benchmark.runtime.stopwatch import Stopwatch
from benchmark.statistics.trials import trial_score

JUDGED_SPLITS = ("forget", MEMBERSHIP_HOLDOUT)


def measure_cell(
    cell: Cell,
    variant: Variant,
    context: RunContext,
    checkpoints: Checkpoints,
    stages: StoredStages,
) -> None:
    """Writes the cell's record: evaluates and attacks the unlearned model, or only derives the
    values again if just the references differ from those in its record.
    """
    measured = _recorded(cell, context)
    if measured is None:
        measured = _measure_cell(cell, variant, context, checkpoints, stages)
    target_samples = _reference_samples(cell, TARGET, cell.target_id, context)
    samples = with_strata(measured.samples, strata_of(target_samples))
    frame = example_frame(samples)
    oracles = [example_frame(_reference_samples(cell, ORACLE, i, context)) for i in cell.oracle_ids]
    target_frame, trial = example_frame(target_samples), None
    if cell.identity.is_trial:
        trial = trial_score(frame, target_frame, oracles, cell.identity.budget.steps)
    write_success(
        cell,
        samples,
        metric_values(frame, oracles, target_frame),
        measured.provenance,
        context,
        proxy=bool(variant.data.proxies),
        trial=trial,
    )


@dataclass(frozen=True)
class _Measured:
    """The samples of a cell, with their provenance."""

    cell: Cell
    samples: list[Sample]
    provenance: Provenance


def _recorded(cell: Cell, context: RunContext) -> _Measured | None:
    """The samples and provenance in the cell's record, if that is complete and reusable."""
    record = None if context.force else cell.measured(context.results)
    samples = record and _samples_of(record, context)
    if not (record and samples):
        return None
    return _Measured(cell, samples, record.provenance)


def _samples_of(record: Record, context: RunContext) -> list[Sample] | None:
    """The record's samples; None if the stored outputs are not its own: a kill came between writing
    the two.
    """
    try:
        return context.results.samples_of(record)
    except BadInput:
        return None


def unlearn_cell(
    cell: Cell, variant: Variant, context: RunContext, checkpoints: Checkpoints
) -> None:
    """Runs the cell's method, unless its record has all outputs already."""
    if _recorded(cell, context) is None:
        run, target = run_of(cell, variant)
        unlearn(run, target, checkpoints)


def _measure_cell(
    cell: Cell,
    variant: Variant,
    context: RunContext,
    checkpoints: Checkpoints,
    stages: StoredStages,
) -> _Measured:
    run, _ = run_of(cell, variant)
    progress = unlearned(cell, checkpoints)
    if progress is None:
        raise RuntimeError("the unlearned model was removed meanwhile; run again")
    run.clock.seconds |= progress.seconds
    result = as_unlearned(progress.result)
    weights = weights_digest(result.weights)
    reuse_recorded(stages, weights, context)
    samples = progress.samples + _examine_all(result, run, stages)
    seconds = run.clock.seconds | stages.seconds
    provenance = provenance_of(
        Cost(steps=progress.steps, tokens=progress.tokens, seconds=seconds),
        weights=weights,
        division=result.division,
    )
    return _Measured(cell, samples, provenance)


def reuse_recorded(stages: StoredStages, weights: str, context: RunContext) -> None:
    """Reuses the stages of the cell's record that were measured on these weights and are still in
    their current form.
    """
    cell = stages.cell
    path = cell.path(context.results)
    if context.force or not path.is_file():
        return
    record = read_record(path)
    if not has_outputs(record) or record.provenance.weights != weights:
        return
    recorded = by_stage(_samples_of(record, context) or [])
    known = {stage: samples for stage, samples in recorded.items() if cell.has(record, stage)}
    stages.reuse(known, record.provenance.cost.seconds)


def _examine_all(result: Any, run: CellRun, stages: StoredStages) -> list[Sample]:
    """Samples of the result itself, on all its splits and the harness, and of the result under each
    attack.
    """
    variant = run.variant
    asked = run.predictor(result)  # shared by all that only query it: an engine keeps its weights

    def evaluated() -> list[Sample]:
        evaluated = variant.data.evaluated
        if run.cell.judges_metrics:
            evaluated = {s: rows for s, rows in evaluated.items() if s in JUDGED_SPLITS}
        return examine(asked, evaluated, MODEL_STAGE, variant.generation)

    def harness() -> list[Sample]:
        return harness_samples(asked, variant.harness, HARNESS_ITEMS)

    samples = stages.get(MODEL_STAGE, evaluated)
    samples += stages.get(HARNESS, harness) if HARNESS in run.cell.recipes else []
    forget = variant.data.examples("forget")
    return samples + _examine_attacked(result, asked, forget, run, stages)


def _examine_attacked(
    result: Any, asked: Predictor, forget: Sequence[Example], run: CellRun, stages: StoredStages
) -> list[Sample]:
    """Samples after each attack; `asked` is the predictor that the result's users query."""
    samples: list[Sample] = []
    for attack in run.variant.attacks:
        examined = partial(_attacked, attack, result, asked, forget, run)
        samples += stages.get(attack.name, examined)
    return samples


def _attacked(
    attack: Attack, result: Any, users: Predictor, forget: Sequence[Example], run: CellRun
) -> list[Sample]:
    """Samples after one attack. An attack on weights gets the weights without guardrails; a
    prompt-based one gets the model as users get it.
    """
    if isinstance(attack, Measurement):
        return _measured_by(attack, result, users, forget, run)
    variant, samples = run.variant, list[Sample]()
    asked = {"forget": attack.scored(forget), **_kept(attack, variant)}
    if unseen := variant.unseen(attack):
        asked[MEMBERSHIP_HOLDOUT] = unseen
    settings = attack.generation(replace(variant.generation, samples=0))

    def scored(stage: str, model: Any) -> list[Sample]:
        predictor = users if attack.asks and model is result else run.predictor(model)
        if attack.scores_alone:
            return scored_alone(predictor, asked, stage)
        return examine(predictor, asked, stage, settings)

    def look(point: str, model: Any) -> None:
        with looking_at(as_unlearned(model).weights):
            samples.extend(scored(point_stage(attack.name, point), model))

    held = result if attack.asks else as_unlearned(result).weights
    with computing_for(variant.track, as_unlearned(held).weights):
        attacked = attack.apply(held, run.attacker(forget, look))
    return samples + scored(attack.name, attacked)


def _measured_by(
    attack: Measurement, result: Any, users: Predictor, forget: Sequence[Example], run: CellRun
) -> list[Sample]:
    examples = {"forget": attack.scored(forget)}
    if attack.contrasts and MEMBERSHIP_HOLDOUT in run.variant.data.roles:
        examples[MEMBERSHIP_HOLDOUT] = run.variant.data.examples(MEMBERSHIP_HOLDOUT)
    request, weights = run.attacker(forget), as_unlearned(result).weights
    model = users if attack.asks else weights
    with computing_for(run.variant.track, weights), looking_at(weights):
        values = {s: attack.measured(model, request, rows) for s, rows in examples.items()}
    return [
        measured_sample(attack.name, split, example, round(value, DECIMALS))
        for split, rows in examples.items()
        for example, value in zip(rows, values[split], strict=True)
    ]


def _kept(attack: Attack, variant: Variant) -> dict[str, list[Example]]:
    """Evenly spaced retain examples on which an attack's cost in utility is scored; empty for
    attacks that score none.
    """
    examples = variant.data.examples("retain") if attack.kept else []
    chosen = examples[:: max(1, len(examples) // max(1, attack.kept))][: attack.kept]
    return {"retain": chosen} if chosen else {}


class _Loader:
    """Loads models and keeps the last one, because proxy references query the same target again."""

    def __init__(self, variant: Variant, context: RunContext) -> None:
        self.models = models_of(variant.track, context.inputs)
        self._held: dict[Path, tuple[Any, Any, str]] = {}

    def load(self, folder: Path) -> tuple[Any, Any, str]:
        """(model, tokenizer, digest of the weights)."""
        if folder not in self._held:
            self._held.clear()
            model, tokenizer = self.models.load(folder)
            self._held[folder] = model, tokenizer, weights_digest(model)
        return self._held[folder]


def measure_reference(
    cell: Cell, variant: Variant, context: RunContext, loader: _Loader | None = None
) -> _Measured:
    """Evaluates and attacks a target or an oracle; reads the stages that are already stored or
    recorded.
    """
    if measured := _recorded(cell, context):
        return measured
    stages, loader = StoredStages(context.store, cell), loader or _Loader(variant, context)
    if variant.data.proxies and cell.method_name == ORACLE:
        return _measure_proxy(cell, variant, context, stages, loader)
    return _measure_model(cell, variant, context, stages, loader)


def write_references(cells: Sequence[Cell], variant: Variant, context: RunContext) -> None:
    """Writes the records of the targets and of every oracle; an oracle is compared with the other
    oracles, not with itself. The strata of memorization and difficulty come from the first target
    and the oracles.
    """
    loader = _Loader(variant, context)
    references = [measure_reference(cell, variant, context, loader) for cell in cells]
    strata: Strata = {}
    if variant.definition.difficulty:
        oracles = [r.samples for r in references if r.cell.method_name == ORACLE]
        strata = difficulty_strata(references[0].samples, oracles)
    marked = {r.cell.id: with_strata(r.samples, strata) for r in references}
    frames = {record_id: example_frame(samples) for record_id, samples in marked.items()}
    for reference in references:
        cell = reference.cell
        others = [frames[i] for i in cell.oracle_ids if i != cell.id]
        write_success(
            cell,
            marked[cell.id],
            metric_values(frames[cell.id], others, frames[cell.target_id]),
            reference.provenance,
            context,
            proxy=bool(variant.data.proxies),
        )


def _measure_model(
    cell: Cell, variant: Variant, context: RunContext, stages: StoredStages, loader: _Loader
) -> _Measured:
    """Samples of the target or an oracle: its last model in full, and its models for earlier
    requests as intermediate checkpoints.
    """
    models = loader.models
    *earlier, last = variant.readings(cell.method_name)
    folder = models.trained(variant.documents(last), cell.seed)
    model, tokenizer, weights = loader.load(folder)
    run = CellRun(cell, variant, models, tokenizer, Stopwatch())
    reuse_recorded(stages, weights, context)

    def on_the_way(unseen: int) -> list[Sample]:
        trained = models.load_model(models.trained(variant.documents(unseen), cell.seed))
        return run.look(run.predictor(trained), REQUEST_SPLITS, request_stage(unseen))

    samples: list[Sample] = []
    for unseen in earlier:
        samples += stages.get(request_stage(unseen), partial(on_the_way, unseen))
    samples += _examine_all(model, run, stages)
    return _Measured(cell, samples, _reference_origin(made_of(folder), weights, stages))


def _measure_proxy(
    cell: Cell, variant: Variant, context: RunContext, stages: StoredStages, loader: _Loader
) -> _Measured:
    """Samples of the target, asked about nonexistent subjects instead: they show how a model
    answers without the knowledge.

    Everything else is taken over from the target's samples.
    """
    target_identity = variant.identity(reference_info(TARGET), TARGET_SEED)
    target_cell = replace(cell, identity=target_identity)
    target = measure_reference(target_cell, variant, context, loader)
    weights = target.provenance.weights
    folder = loader.models.trained(variant.documents(0), TARGET_SEED)
    model, tokenizer, _ = loader.load(folder)
    run = CellRun(cell, variant, loader.models, tokenizer, Stopwatch())
    reuse_recorded(stages, weights, context)
    examples, asked = to_examples(variant.data.proxies[cell.seed - 1]), run.predictor(model)

    def evaluated() -> list[Sample]:
        forgotten = examine(asked, {"forget": examples}, MODEL_STAGE, variant.generation)
        return forgotten + [s for s in target.samples if _is_kept(s)]

    samples = stages.get(MODEL_STAGE, evaluated)
    samples += by_stage(target.samples).get(HARNESS, [])
    samples += _examine_attacked(model, asked, examples, run, stages)
    what = f"proxy reference {cell.seed}: the target, asked about subjects that never existed"
    made = {"made": what, "steps": 0, "tokens": 0}
    return _Measured(cell, samples, _reference_origin(made, weights, stages))


def _reference_origin(made: dict[str, Any], weights: str, stages: StoredStages) -> Provenance:
    cost = Cost(steps=made["steps"], tokens=made["tokens"], seconds=stages.seconds)
    return provenance_of(cost, made=made, weights=weights, division="weights")


def _is_kept(sample: Sample) -> bool:
    """Whether a proxy reference takes this sample over from the target."""
    return sample.stage == MODEL_STAGE and sample.split not in ("forget", HARNESS)


def _reference_samples(cell: Cell, role: str, record_id: str, context: RunContext) -> list[Sample]:
    path = context.results.reference_path(cell.identity, role, record_id)
    return context.results.samples_of(read_record(path))
