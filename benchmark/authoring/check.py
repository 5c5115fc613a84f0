"""Checks a method against the contract before its first run, on a tiny trained model.

Each rule gives a verdict. Errors point to the line of the author's file, not the engine's.
"""

from __future__ import annotations

import ast
import inspect
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.core.examples import Pair
from benchmark.core.inputs import Inputs
from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.core.request import Meter, Request
from benchmark.inference.unlearned import as_unlearned, load_unlearned, weights_digest
from benchmark.models import models_of
from benchmark.models.placement import looking_at
from benchmark.pipeline.author_errors import author_line
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.suite import MethodEntry, Suite
from benchmark.pipeline.unlearn import CellRun, checked, request_of, seed_everything
from benchmark.pipeline.variant import TARGET_SEED, Variant
from benchmark.records.store import ResultStore
from benchmark.runtime.stopwatch import Stopwatch

TRACK, TASK = "check-dev", "fictitious"
MOVED = 0.01  # nats of mean log-likelihood; a method that moves less has changed almost nothing
ENGINE, API = ("benchmark", "tasks", "leaderboard"), "benchmark.api"
Change = Callable[[Request], None]
Rule = Callable[[str, "Bench", "Outcome"], "Verdict | None"]


@dataclass(frozen=True)
class Verdict:
    """The result of one rule for a method."""

    rule: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Outcome:
    """Result and cost of one run; `known` holds mean log-likelihoods of the answers by split."""

    result: Any
    meter: Meter
    seconds: float
    known: dict[str, np.ndarray]

    def same_as(self, other: Outcome) -> bool:
        """Whether both runs have identical weights and likelihoods."""
        digests = {weights_digest(as_unlearned(run.result).weights) for run in (self, other)}
        return len(digests) == 1 and all(
            np.array_equal(self.known[split], other.known[split]) for split in self.known
        )


class Bench:
    """A trained target, reloaded for every run of the method under check."""

    def __init__(self, spec: str, inputs: Inputs) -> None:
        suite = Suite(
            name="check",
            description="one cell",
            tracks=[TRACK],
            tasks=[TASK],
            methods=[MethodEntry(name=spec)],
            oracles=2,
        )
        nowhere = ResultStore(Path(tempfile.gettempdir()) / "palimpsest-check")
        plan = Planner(inputs, nowhere).plan(suite, force=True)
        self.cell, self.variant = plan.cells[0], plan.jobs[-1].variant
        self.models = models_of(self.variant.track, inputs)
        self.folder = self.models.trained(self.variant.documents(0), TARGET_SEED)
        self.target, self.tokenizer = self.models.load(self.folder)
        self.cls = method_named(spec)

    @property
    def run(self) -> CellRun:
        return CellRun(self.cell, self.variant, self.models, self.tokenizer, Stopwatch())

    def unlearned(self, change: Change = lambda request: None, **parameters: Any) -> Outcome:
        """Runs the method on a fresh copy of the target; `change` modifies the request first."""
        meter = Meter(limit=self.variant.budget.steps)
        request = request_of(self.run, 0, {}, meter)
        change(request)
        seed_everything(request.seed)
        model, _ = self.models.load(self.folder)
        started = time.perf_counter()
        result = checked(create(self.cls, parameters).unlearn(model, request))
        return Outcome(result, meter, time.perf_counter() - started, self.known(result))

    def known(self, result: Any) -> dict[str, np.ndarray]:
        """Mean log-likelihood of each example's answer by split, (examples,)."""
        predictor = self.run.predictor(result)
        return {
            split: _likelihoods(predictor, self.variant, split) for split in ("forget", "retain")
        }


def _likelihoods(predictor: Any, variant: Variant, split: str) -> np.ndarray:
    pairs = [example.pair for example in variant.data.examples(split)]
    scores = predictor.score(pairs)
    return np.array([scores[pair].logprobs.mean() for pair in pairs])


def check(spec: str, inputs: Inputs) -> Iterator[Verdict]:
    """Yields the verdicts on a method, given as `path/to/file.py:Class` or a registered name; stops
    after the verdict `runs` if it fails.
    """
    file = Path(inspect.getfile(method_named(spec)))
    yield imports(file)
    bench = Bench(spec, inputs)
    try:
        first = bench.unlearned()
    except (Exception, SystemExit) as error:
        yield Verdict("runs", False, author_line(error, file))
        return
    steps = f"{first.meter.steps} of {first.meter.limit} steps, {first.meter.tokens} tokens"
    yield Verdict("runs", True, f"{steps}, {first.seconds:.1f} s")
    yield moves(bench, first)
    for name, rule in RULES.items():
        try:
            verdict = rule(name, bench, first)
        except (Exception, SystemExit) as error:
            verdict = Verdict(name, False, author_line(error, file))
        if verdict:
            yield verdict


def imports(file: Path) -> Verdict:
    """Checks that the method imports only the benchmark's API; the rest may change any time."""
    others = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        engine = [m for m in modules if m != API and m.partition(".")[0] in ENGINE]
        others += [f"line {node.lineno} imports {module}" for module in engine]
    return Verdict("imports only the API", not others, "; ".join(others))


def moves(bench: Bench, first: Outcome) -> Verdict:
    """Checks that likelihoods change: otherwise, the method has unlearned nothing."""
    before = bench.known(bench.target)
    texts, moved = [], 0.0
    for split, known in first.known.items():
        was, now = float(before[split].mean()), float(known.mean())
        moved = max(moved, abs(now - was))
        likely = [float(np.exp(values).mean()) for values in (before[split], known)]
        texts.append(
            f"{split} loss {-was:.2f} -> {-now:.2f}, probability {likely[0]:.2f} -> {likely[1]:.2f}"
        )
    detail = "; ".join(texts)
    unchanged = "" if moved >= MOVED else "; the model hardly changes at the default parameters"
    return Verdict("changes what the model knows", moved >= MOVED, detail + unchanged)


def repeats(rule: str, bench: Bench, first: Outcome) -> Verdict:
    """Checks that two runs agree, since all randomness must be seeded by `request.seed`."""
    same = bench.unlearned().same_as(first)
    detail = "" if same else "two runs with one seed differ: seed every generator by request.seed"
    return Verdict(rule, same, detail)


def is_looked_at(rule: str, bench: Bench, first: Outcome) -> Verdict:
    """Checks that scoring the model between steps, as for trajectories, leaves the result as is."""
    looks = []

    def look(model: Any, steps: int) -> None:
        with looking_at(model):
            looks.append(float(bench.known(model)["forget"].mean()))

    def watched(request: Request) -> None:
        request.meter.watch = look

    same = bench.unlearned(watched).same_as(first)
    detail = (
        f"scored {len(looks)} times between steps"
        if same
        else "the result changes when the model is scored between steps"
    )
    return Verdict(rule, same, detail)


def is_saved(rule: str, bench: Bench, first: Outcome) -> Verdict:
    """Checks that likelihoods survive saving and loading, from which cells resume."""
    with tempfile.TemporaryDirectory() as name:
        as_unlearned(first.result).save(Path(name))
        loaded = load_unlearned(Path(name), bench.models.load_model)
        known = bench.known(loaded)
    same = all(np.array_equal(known[split], first.known[split]) for split in known)
    return Verdict(rule, same, "" if same else "after loading, it gives other probabilities")


def uses(split: str, rule: str, bench: Bench, first: Outcome) -> Verdict | None:
    """Checks that replacing a split changes the result; None if `sees` does not declare it."""
    if split not in bench.cls.sees:
        return None

    def replaced(request: Request) -> None:
        pairs = getattr(request, split)
        setattr(request, split, [Pair(f"{pair.prompt} ?", pair.prompt) for pair in pairs])

    differs = not bench.unlearned(replaced).same_as(first)
    unused = f'it declares "{split}" in sees, but replacing that set does not change the result'
    detail = "" if differs else unused
    return Verdict(rule, differs, detail)


def trains_adapters(rule: str, bench: Bench, first: Outcome) -> Verdict | None:
    """Checks that `lora=True` trains adapters and merges them; None for methods without `lora`."""
    if "lora" not in {field.name for field in fields(bench.cls)}:  # type: ignore[arg-type]
        return None
    adapted = as_unlearned(bench.unlearned(lora=True).result)
    keys = adapted.weights.state_dict().keys()
    merged = keys == as_unlearned(first.result).weights.state_dict().keys()
    moved = weights_digest(adapted.weights) != weights_digest(bench.target)
    if not merged:
        return Verdict(rule, False, "with lora: true, adapters remain in the model")
    passed = moved or adapted.division == "guardrail"
    return Verdict(rule, passed, "" if passed else "with lora: true, the weights do not change")


RULES: dict[str, Rule] = {
    "is reproducible": repeats,
    "can be evaluated along a trajectory": is_looked_at,
    "can be saved and loaded": is_saved,
    "uses the forget set": partial(uses, "forget"),
    "uses the retain set": partial(uses, "retain"),
    "trains adapters": trains_adapters,
}
