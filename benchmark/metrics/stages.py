"""Stages: the point in a cell at which a sample was taken.

The stage is "model" for the final model, an attack's name for the attacked model, and for
intermediate checkpoints a share of the budget ("budget 0.25") or the number of requests done so far
("request 03").
"""

from __future__ import annotations

MODEL_STAGE = "model"
HARNESS = "harness"  # the split of another harness, which is a stage of its own in records
BUDGET, REQUEST, ATTACK = "budget", "request", "attack"
ON_THE_WAY = frozenset({BUDGET, REQUEST})


def budget_stage(fraction: float) -> str:
    return f"{BUDGET} {fraction:.2f}"


def request_stage(done: int) -> str:
    return f"{REQUEST} {done:02d}"


def fraction_of(stage: str) -> float | None:
    """The share of the budget spent; None for other kinds of stages."""
    return float(stage.removeprefix(f"{BUDGET} ")) if sort_of(stage) == BUDGET else None


def request_of(stage: str) -> int | None:
    """The number of requests done; None for other kinds of stages."""
    return int(stage.removeprefix(f"{REQUEST} ")) if sort_of(stage) == REQUEST else None


def sort_of(stage: str) -> str:
    """MODEL_STAGE, BUDGET, REQUEST or ATTACK."""
    if stage == MODEL_STAGE:
        return MODEL_STAGE
    return next((sort for sort in ON_THE_WAY if stage.startswith(f"{sort} ")), ATTACK)


def recorded_stage(stage: str, split: str) -> str:
    """The stage under which a record stores a sample of this stage and split."""
    return HARNESS if split == HARNESS else stage
