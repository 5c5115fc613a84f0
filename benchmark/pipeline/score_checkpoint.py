"""Scores checkpoints made elsewhere on a task, without running a method; nothing is ranked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.backends.cpu import get_cpu_capability

from benchmark.core.examples import Example, Pair, Prompt
from benchmark.core.inputs import Inputs
from benchmark.core.registry import task_named
from benchmark.core.task import Task
from benchmark.core.task_data import TaskData
from benchmark.errors import BadInput
from benchmark.evaluation.general_utility import harness_samples
from benchmark.evaluation.lengths import positions_needed, refuse_too_long
from benchmark.evaluation.lm_eval_adapter import group_tasks
from benchmark.evaluation.outputs import examine
from benchmark.inference.generation import Tokens
from benchmark.inference.predictors import Predictor, longest_sequence, predictor_of
from benchmark.inference.scoring import AnswerScores
from benchmark.inference.settings import GenerationSettings
from benchmark.metrics import METRICS, Sample
from benchmark.metrics.base import Value
from benchmark.metrics.distribution import SUMMARIES
from benchmark.metrics.frames import ALL, example_frame
from benchmark.metrics.stages import MODEL_STAGE
from benchmark.metrics.values import metric_values
from benchmark.models.placement import gpu_name
from benchmark.models.pretrained import PretrainedModels, Source, models_named
from benchmark.pipeline.selection import expand_tasks
from benchmark.records.provenance import collect
from benchmark.records.schema import Cost, Provenance
from benchmark.records.store import write_atomically
from benchmark.runtime.stopwatch import Stopwatch


@dataclass(frozen=True)
class Evaluation:
    """The values of a checkpoint on all splits, and how they were computed. `limit` is the maximum
    number of rows per split, if there is one.
    """

    task: str
    model: str
    source: Source
    reference: str | None
    original: str | None
    limit: int | None
    harness: str
    data_fingerprint: str
    values: list[Value]
    reference_values: list[Value]
    provenance: Provenance
    precision: str
    generation: dict[str, Any]

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage."""
        return self.provenance.cost.seconds

    def table(self) -> pd.DataFrame:
        """A row per value of a whole split: split, metric, value, reference, better, unit, n,
        failed.
        """
        beside = {(v.split, v.metric): v.value for v in self.reference_values if v.stratum == ALL}
        rows = [_row(v, beside.get((v.split, v.metric))) for v in self.values if v.stratum == ALL]
        return pd.DataFrame(rows)

    def write(self, path: Path) -> None:
        """Writes everything as JSON, with NaN as null."""
        note = "evaluation only: no method was run, nothing is ranked"
        content = asdict(self) | {
            "provenance": self.provenance.model_dump(),
            "ranked": False,
            "note": note,
        }
        text = json.dumps(json.loads(pd.Series([content]).to_json(orient="records"))[0], indent=1)
        write_atomically(path, text.encode())


@dataclass(frozen=True)
class Timed:
    """A predictor whose scoring, generation and sampling are timed."""

    predictor: Predictor
    clock: Stopwatch

    @property
    def tokenizer(self) -> Any:
        return self.predictor.tokenizer

    def score(self, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
        with self.clock.stage("scoring pass"):
            return self.predictor.score(pairs)

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> dict[Prompt, str]:
        with self.clock.stage("generation"):
            return self.predictor.generate(prompts, max_new_tokens)

    def go_on(self, texts: Sequence[str], max_new_tokens: int) -> dict[str, str]:
        with self.clock.stage("generation"):
            return self.predictor.go_on(texts, max_new_tokens)

    def sample(
        self, prompts: Sequence[Prompt], max_new_tokens: int, samples: int
    ) -> dict[Prompt, tuple[str, ...]]:
        with self.clock.stage("sampling"):
            return self.predictor.sample(prompts, max_new_tokens, samples)

    def score_tokens(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[AnswerScores]:
        return self.predictor.score_tokens(sequences)

    def generate_tokens(self, prompts: Sequence[Tokens], max_new_tokens: int) -> list[list[int]]:
        return self.predictor.generate_tokens(prompts, max_new_tokens)


def _row(value: Value, reference: float | None) -> dict[str, Any]:
    metric = METRICS.get(value.metric)
    better, unit = (metric.better, metric.unit) if metric else SUMMARIES[value.metric][:2]
    counts = {"n": value.n_scored, "failed": value.n_failed}
    row = {
        "split": value.split,
        "metric": value.metric,
        "value": value.value,
        "reference": reference,
    }
    return row | {"better": better, "unit": unit} | counts


def limited(data: TaskData, limit: int | None) -> dict[str, list[Example]]:
    """The evaluated splits, the first `limit` rows of each."""
    return {role: examples[:limit] for role, examples in data.evaluated.items()}


def evaluate(
    model: str,
    task: str,
    inputs: Inputs,
    reference: str | None = None,
    limit: int | None = None,
    backend: str = "hf",
    harness: str = "",
    precision: str = "float32",
    original: str | None = None,
    samples: int | None = None,
) -> Evaluation:
    """Scores the model (a track, a folder, `org/name@revision`) on one task variant, next to a
    reference model if one is given.

    The reference takes the role of the oracle: forget quality compares with it. A task that depends
    on what a model knows uses the knowledge of `original`, the model before unlearning, if it is
    given. `samples` answers are sampled for each forget question, for `leak_at_k`; by default, as
    many as the task declares.
    """
    name, variant = _one_variant(task)
    clock, definition = Stopwatch(), task_named(name)
    models = _asked(definition, model, inputs)
    if harness:
        group_tasks(harness)
    with clock.stage("data"):
        data = definition().data(
            variant, (models_named(original, inputs) if original else models).data_source
        )
    splits = limited(data, limit)
    drawn = definition.samples if samples is None else samples
    settings = GenerationSettings(backend, definition.max_new_tokens, samples=drawn)
    others = [_asked(definition, reference, inputs)] if reference else []
    asked = _Asked(splits, settings, precision, clock)
    for other in others:
        asked.loaded(other)  # reject an unusable reference before the long evaluation
    outputs = asked.samples(models, harness, limit)
    beside = [asked.samples(other) for other in others]
    with clock.stage("metrics"):
        frames = [example_frame(other) for other in beside]
        values = metric_values(example_frame(outputs), frames)
        reference_values = metric_values(frames[0], []) if frames else []
    cost = Cost(steps=0, tokens=0, seconds=clock.seconds)
    return Evaluation(
        task=task,
        model=model,
        source=models.source,
        reference=reference,
        original=original,
        limit=limit,
        harness=harness,
        data_fingerprint=data.fingerprint,
        values=values,
        reference_values=reference_values,
        provenance=collect(cost, torch.get_num_threads(), gpu_name(), get_cpu_capability()),
        precision=precision,
        generation=asdict(settings),
    )


def _asked(task: type[Task], model: str, inputs: Inputs) -> PretrainedModels:
    """The model as the task prompts it; BadInput if the task needs another data source."""
    models = models_named(model, inputs)
    if models.track.source not in task.sources:
        needed = " or ".join(sorted(task.sources))
        raise BadInput(f"task {task.name} needs a {needed}, but {model} is a model")
    return PretrainedModels(models.track.on(task), inputs)


def _one_variant(task: str) -> tuple[str, str]:
    """(task, variant) of `task` or `task/variant`; BadInput if it names several variants."""
    pairs = expand_tasks([task])
    if len(pairs) != 1:
        raise BadInput(f"task {task}: name one variant, e.g. {pairs[0][0]}/{pairs[0][1]}")
    return pairs[0]


@dataclass(frozen=True)
class _Asked:
    """The splits and settings with which every checkpoint of an evaluation is scored."""

    splits: dict[str, list[Example]]
    settings: GenerationSettings
    precision: str
    clock: Stopwatch

    def loaded(self, models: PretrainedModels) -> tuple[Any, Any]:
        """(model, tokenizer); BadInput if an example needs more tokens than the model has
        positions.
        """
        with self.clock.stage("loading"):
            model, tokenizer = models.load(models.base())
            needed = positions_needed(tokenizer, self.splits, self.settings)
            longest = longest_sequence(tokenizer, self.settings.backend)
            refuse_too_long(models.track.spec, longest, needed)
            return model.to(getattr(torch, self.precision)), tokenizer

    def samples(
        self, models: PretrainedModels, harness: str = "", limit: int | None = None
    ) -> list[Sample]:
        model, tokenizer = self.loaded(models)
        predictor = Timed(predictor_of(model, tokenizer, self.settings.backend), self.clock)
        samples = examine(predictor, self.splits, MODEL_STAGE, self.settings)
        if harness:
            with self.clock.stage("lm-eval"):
                samples += harness_samples(predictor, harness, limit)
        return samples
