"""Traces one cell of a method step by step: losses, gradient norm and remaining knowledge.

Observation has no side effects: the weights are the same as in a normal run of the cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmark.core.examples import Example
from benchmark.core.registry import method_in
from benchmark.core.request import Meter
from benchmark.errors import BadInput
from benchmark.inference.unlearned import as_unlearned
from benchmark.models.placement import looking_at
from benchmark.pipeline.selection import expand_tasks
from benchmark.pipeline.suite import MethodEntry, Suite
from benchmark.pipeline.unlearn import CellRun, request_of, result_of
from benchmark.records.identity import variant_name
from benchmark.training.loop import observed

LOOKS = 20  # per request, about evenly spaced over its step budget
EXAMPLES = 64  # scored per split at most, evenly spaced
TARGET, STEP, RESULT = "target", "step", "result"
_NAN = float("nan")


def single_cell(method: str, track: str, task: str) -> Suite:
    """A suite of one cell; BadInput if the task has several variants and none is named."""
    names = [variant_name(*pair) for pair in expand_tasks([task])]
    if len(names) > 1:
        raise BadInput(f"--task {task}: has {len(names)} variants; name one, e.g. {names[0]}")
    return Suite(
        name="debug",
        description="one cell",
        tracks=[track],
        tasks=names,
        methods=[MethodEntry(name=method_in(method))],
        oracles=2,
        attacks=[],
    )


@dataclass(frozen=True)
class Moment:
    """Measurements of the target, the model after a step, or a request's result; NaN if not taken.

    `step` counts over all requests. Methods with a single loss have a `loss`; methods that return a
    pair have a `forget_loss` and a `retain_loss`. `gradient_norm` is the norm before clipping. The
    probabilities are means over examples of the geometric mean of an answer's token probabilities.
    """

    request: int
    step: int
    at: str
    loss: float = _NAN
    forget_loss: float = _NAN
    retain_loss: float = _NAN
    gradient_norm: float = _NAN
    forget_probability: float = _NAN
    retain_probability: float = _NAN

    @property
    def is_look(self) -> bool:
        """Whether the model was scored."""
        return not np.isnan(self.forget_probability)


@dataclass
class _Course:
    """The steps of one request; `latest` holds the losses and gradient norm of the last one."""

    run: CellRun
    request: int
    start: int
    notify: Callable[[Moment], None]
    latest: dict[str, float] = field(default_factory=dict)

    def observe(self, losses: tuple[float, ...], norm: float) -> None:
        names = ("loss",) if len(losses) == 1 else ("forget_loss", "retain_loss")
        self.latest = dict(zip(names, losses, strict=True)) | {"gradient_norm": norm}

    def watch(self, model: Any, steps: int) -> None:
        budget = self.run.variant.budget.steps
        looked = steps % max(1, budget // LOOKS) == 0 or steps == budget
        known = probabilities(self.run, model) if looked else {}
        self.notify(Moment(self.request, self.start + steps, STEP, **self.latest, **known))
        self.latest = {}  # a method's custom training loop does not report its losses


def follow(run: CellRun, target: Any, notify: Callable[[Moment], None]) -> Any:
    """Runs all requests of the cell on the target in order and returns the final result; calls
    `notify` with each moment as it occurs.
    """
    notify(Moment(0, 0, TARGET, **probabilities(run, target)))
    result, state, steps = target, dict[str, Any](), 0
    for number in range(len(run.variant.data.requests)):
        course = _Course(run, number + 1, steps, notify)
        meter = Meter(limit=run.variant.budget.steps, watch=course.watch)
        request = request_of(run, number, state, meter)
        with observed(course.observe):
            result = result_of(run, request, as_unlearned(result).weights)
        state, steps = request.state, steps + meter.steps
        notify(Moment(number + 1, steps, RESULT, **probabilities(run, result)))
    return result


def probabilities(run: CellRun, result: Any) -> dict[str, float]:
    """Mean answer probability on the forget set and on the retain set."""
    with looking_at(as_unlearned(result).weights):
        predictor = run.predictor(result)
        return {
            f"{split}_probability": _probability(predictor, run.variant.data.examples(split))
            for split in ("forget", "retain")
        }


def _probability(predictor: Any, examples: list[Example]) -> float:
    pairs = [example.pair for example in examples[:: -(-len(examples) // EXAMPLES)]]
    scores = predictor.score(pairs)
    return float(np.mean([np.exp(scores[pair].logprobs.mean()) for pair in pairs]))
