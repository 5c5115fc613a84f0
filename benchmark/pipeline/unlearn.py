"""Runs a method on the requests of a cell, one after the other, and evaluates intermediate
checkpoints.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from benchmark.core.attack import AttackRequest
from benchmark.core.examples import Example, Pair
from benchmark.core.method import create
from benchmark.core.registry import method_named, task_named
from benchmark.core.request import Meter, Request
from benchmark.core.task_data import TaskData
from benchmark.core.telling_ids import LATER, NOTHING
from benchmark.data.tellings import told_as
from benchmark.evaluation.outputs import examine
from benchmark.inference.predictors import Predictor, sampler
from benchmark.inference.unlearned import as_unlearned
from benchmark.metrics import Sample
from benchmark.metrics.stages import REQUEST, budget_stage, request_stage, sort_of
from benchmark.models import Models, models_of
from benchmark.models.artifacts import made_of
from benchmark.models.placement import computing_for, looking_at
from benchmark.pipeline.checkpoints import Checkpoints, Progress
from benchmark.pipeline.plan import Cell
from benchmark.pipeline.variant import BUDGET_POINTS, RETRAIN_SEED, Variant
from benchmark.records.identity import ORACLE
from benchmark.records.schema import UNLEARN
from benchmark.runtime.stopwatch import Stopwatch
from benchmark.training.sharding import is_first, processes, wait_for_all

TRAJECTORY_SPLITS = ("forget", "retain", "holdout")
REQUEST_SPLITS = ("forget", "retain", "general")
LATER_WARMUP = 5  # steps: training on a `later_` telling takes a few dozen in all
SEEDS_APART = 1_000_003  # gives each request of a run its own seed


class UselessModel(RuntimeError):
    """Error for a method's result that cannot be evaluated."""


@dataclass(frozen=True)
class CellRun:
    """A cell's variant, models, tokenizer and stopwatch, which all its requests share."""

    cell: Cell
    variant: Variant
    models: Models
    tokenizer: Any
    clock: Stopwatch

    def look(self, predictor, splits: tuple[str, ...], stage: str) -> list[Sample]:
        """Samples of an intermediate checkpoint on those of the splits that the task has."""
        examples = {s: self._examples(s, stage) for s in splits if s in self.variant.data.roles}
        return examine(predictor, examples, stage, self.variant.generation)

    def predictor(self, result: Any) -> Predictor:
        """The predictor that evaluates a method's result."""
        # No engine takes weights sharded over processes, and one per process would be too many.
        backend = self.variant.generation.backend if processes() == 1 else "hf"
        return as_unlearned(result).predictor(self.tokenizer, backend)

    def attacker(
        self,
        forget: Sequence[Example],
        look: Callable[[str, Any], None] = lambda point, model: None,
    ) -> AttackRequest:
        """What an attacker has besides the model."""
        documents = self.variant.documents(0)
        of = self.variant.target_seed(self.cell.method_name, self.cell.seed)
        return AttackRequest(
            forget=forget,
            retain=list(self.variant.data.rehearsed),
            tokenizer=self.tokenizer,
            budget=self.variant.track.budget,
            seed=self.cell.seed,
            target=lambda: self.models.load_model(self.models.trained(documents, of)),
            oracle=self._oracle,
            look=look,
        )

    def _oracle(self) -> Any:
        """The model of the first oracle, or of the second if the cell is the first."""
        seed = 2 if (self.cell.method_name, self.cell.seed) == (ORACLE, 1) else 1
        *_, last = self.variant.readings(ORACLE)
        return self.models.load_model(self.models.trained(self.variant.documents(last), seed))

    def _examples(self, split: str, stage: str) -> list[Example]:
        """The examples of a split; along a trajectory without wrong answers, which no metric reads
        there and which cost most to score.
        """
        examples = self.variant.data.examples(split)
        if sort_of(stage) == REQUEST:
            return examples
        return [replace(e, perturbed=(), choices=()) for e in examples]


def run_of(cell: Cell, variant: Variant) -> tuple[CellRun, Any]:
    """The run of a cell, and its target, which is trained if it is not in the store."""
    models = models_of(variant.track, variant.inputs)
    seed = variant.target_seed(cell.method_name, cell.seed)
    target, tokenizer = models.load(models.trained(variant.documents(0), seed))
    return CellRun(cell, variant, models, tokenizer, Stopwatch()), target


def unlearned(cell: Cell, checkpoints: Checkpoints) -> Progress | None:
    """The last checkpoint of a cell, if there is one. The method is imported only if its result is
    a guardrail of the method's own class: the code that runs when its file is imported could alter
    the evaluation in this process.
    """
    return checkpoints.load(lambda: method_named(cell.method))


def unlearn(run: CellRun, target: Any, checkpoints: Checkpoints) -> None:
    """Runs all requests of the cell in sequence, starting from the last checkpoint if there is one,
    and saves a checkpoint after each. If several processes train together, each runs this and the
    first one saves.
    """
    progress = unlearned(run.cell, checkpoints) or Progress(done=0, result=target)
    wait_for_all()
    run.clock.seconds |= progress.seconds
    requests = len(run.variant.data.requests)
    for number in range(progress.done, requests):
        progress = _after_request(run, progress, number, last=number + 1 == requests)
        if is_first():
            checkpoints.save(progress)
        wait_for_all()
        # Reload as after a kill, so that a resumed run gives the same result.
        progress = unlearned(run.cell, checkpoints) or progress


def _after_request(run: CellRun, before: Progress, number: int, last: bool) -> Progress:
    seen: list[Sample] = []
    # A trial's record keeps no intermediate samples.
    is_followed = not run.cell.identity.is_trial
    records_trajectory = is_followed and last and task_named(run.variant.task).trajectory
    meter = Meter(
        limit=run.variant.budget.steps, watch=_watch(run, seen) if records_trajectory else None
    )
    request = request_of(run, number, before.state, meter)
    result = result_of(run, request, as_unlearned(before.result).weights)
    if is_followed and not last:
        with run.clock.stage("requests"):
            seen += run.look(run.predictor(result), REQUEST_SPLITS, request_stage(number + 1))
    return replace(
        before,
        done=number + 1,
        result=result,
        state=request.state,
        samples=[*before.samples, *seen],
        steps=before.steps + meter.steps,
        tokens=before.tokens + meter.tokens,
        seconds=dict(run.clock.seconds),
    )


def result_of(run: CellRun, request: Request, model: Any) -> Any:
    """The result of the cell's method on a model; UselessModel if it cannot be evaluated."""
    seed_everything(request.seed)
    method = create(
        method_named(run.cell.method), run.cell.parameters
    )  # a new instance: what persists is in `state`
    with run.clock.stage(UNLEARN), computing_for(run.variant.track, model):
        return checked(method.unlearn(model, request))


def request_of(run: CellRun, number: int, state: Mapping[str, Any], meter: Meter) -> Request:
    """The method's request, with only the information that it declares and nothing from the
    evaluation.
    """
    cell, variant = run.cell, run.variant
    sees = method_named(cell.method).sees

    def retrain(telling: str = NOTHING, **training: Any):
        started = time.perf_counter()
        kept = variant.documents(number + 1)
        told = told_as(telling, variant.data, number, run.models.data_source)
        stage, seed = replace(variant.track.stage, **training), RETRAIN_SEED + cell.seed
        if telling.startswith(LATER):
            start, short = run.models.trained(kept, seed), replace(stage, warmup=LATER_WARMUP)
            folder = run.models.trained(told, seed, short, start)
        else:
            folder = run.models.trained(kept + told, seed, stage)
        made = made_of(folder)
        meter.steps, meter.tokens = made["steps"], made["tokens"]
        # A model from the store costs the time of its training, not of loading it.
        run.clock.add(UNLEARN, max(0.0, made.get("seconds", 0) - (time.perf_counter() - started)))
        return run.models.load_model(folder)

    seed = cell.seed + SEEDS_APART * number
    return Request(
        forget=_as_pairs(variant.data.asked(number)) if "forget" in sees else [],
        retain=list(variant.data.rehearsed) if "retain" in sees else [],
        tokenizer=run.tokenizer,
        seed=seed,
        budget=variant.budget,
        meter=meter,
        retrain=retrain if "training" in sees else None,
        sample=sampler(run.tokenizer, variant.generation.max_new_tokens, seed),
        state=dict(state),
        frequency=_frequency(variant.data, number) if "frequency" in sees else {},
    )


def _frequency(data: TaskData, number: int) -> dict[Pair, int]:
    """The number of training texts that state each pair of a request; a text with its own number of
    `reads` counts that many times.
    """
    texts = Counter[str]()
    for document in data.documents:
        texts[document.example] += document.reads or 1
    return {example.pair: texts[example.id] for example in data.asked(number)}


def _as_pairs(examples: Iterable[Example]) -> list[Pair]:
    return [example.pair for example in examples]


def _watch(run: CellRun, seen: list[Sample]) -> Callable[[Any, int], None]:
    """A callback that evaluates the model at each point of the budget in BUDGET_POINTS and leaves
    it unchanged.
    """
    budget = run.variant.budget.steps
    points = {max(1, round(share * budget)): budget_stage(share) for share in BUDGET_POINTS}

    def watch(model: Any, steps: int) -> None:
        if steps in points:
            with run.clock.stage("course"), looking_at(as_unlearned(model).weights):
                seen.extend(run.look(run.predictor(model), TRAJECTORY_SPLITS, points[steps]))

    return watch


def seed_everything(seed: int) -> None:
    """Seeds the process's global generators, for methods that do not bring their own."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def checked(result: Any) -> Any:
    """A method's result in evaluation mode; UselessModel states why it cannot be evaluated."""
    if result is None:
        raise UselessModel("the method returned nothing; unlearn() must return the model")
    model = as_unlearned(result).weights
    if not isinstance(model, torch.nn.Module):
        raise UselessModel(f"the method returned {type(result).__name__}, not a model")
    broken = [name for name, p in model.named_parameters() if not torch.isfinite(p).all()]
    if broken:
        raise UselessModel(
            f"{len(broken)} weights of the returned model are NaN or infinite, first {broken[0]}"
        )
    model.eval()
    return result
