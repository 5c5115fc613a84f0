"""Stages: the point in a cell at which a sample was taken.

The stage is "model" for the final model, an attack's name for the attacked model, and for
intermediate checkpoints a share of the budget ("budget 0.25") or the number of requests done so far
("request 03"). An attack that is scored at several points has an additional stage for each point
("relearn_benign 010").
"""

from __future__ import annotations

MODEL_STAGE = "model"
HARNESS = "harness"  # the split of another harness's items, a separate stage in records
BUDGET, REQUEST, ATTACK, POINT = "budget", "request", "attack", "point"
PATCHING, UNPATCHED = "patching", "unpatched"  # an attack, and its point without a patch
TRUE_FALSE, GRADIENT_NORM = "true_false", "gradient_norm"
CROSS_LIKELIHOOD, COSINE_SIMILARITY = "cross_likelihood", "cosine_similarity"
ENTAILMENT = "entailment"
# Attacks after which only their dedicated metric is scored: other metrics would say nothing about
# the remaining knowledge.
MEASURING = frozenset(
    {PATCHING, TRUE_FALSE, GRADIENT_NORM, CROSS_LIKELIHOOD, COSINE_SIMILARITY, ENTAILMENT}
)
ON_THE_WAY = frozenset({BUDGET, REQUEST})


def budget_stage(fraction: float) -> str:
    return f"{BUDGET} {fraction:.2f}"


def request_stage(done: int) -> str:
    return f"{REQUEST} {done:02d}"


def point_stage(attack: str, point: str) -> str:
    """The stage of an intermediate point of an attack."""
    return f"{attack} {point}"


def fraction_of(stage: str) -> float | None:
    """The share of the budget spent; None for other kinds of stages."""
    return float(stage.removeprefix(f"{BUDGET} ")) if sort_of(stage) == BUDGET else None


def request_of(stage: str) -> int | None:
    """The number of requests done; None for other kinds of stages."""
    return int(stage.removeprefix(f"{REQUEST} ")) if sort_of(stage) == REQUEST else None


def sort_of(stage: str) -> str:
    """MODEL_STAGE, BUDGET, REQUEST, ATTACK or POINT."""
    if stage == MODEL_STAGE:
        return MODEL_STAGE
    name, _, point = stage.partition(" ")
    if not point:
        return ATTACK
    return name if name in ON_THE_WAY else POINT


def recorded_stage(stage: str, split: str) -> str:
    """The stage under which a record stores a sample of this stage and split."""
    if split == HARNESS:
        return HARNESS
    return stage.partition(" ")[0] if sort_of(stage) == POINT else stage
