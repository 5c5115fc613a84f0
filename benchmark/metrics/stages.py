"""Stages: when in a cell a sample was taken.

A sample's stage is "model" for the final model, the name of an attack for what the model is after it, and on the way
there a share of the budget ("budget 0.25") or the number of requests done so far ("request 03").
"""

from __future__ import annotations

MODEL_STAGE = "model"
_BUDGET, _REQUEST = "budget ", "request "


def budget_stage(fraction: float) -> str:
    return f"{_BUDGET}{fraction:.2f}"


def request_stage(done: int) -> str:
    return f"{_REQUEST}{done:02d}"


def fraction_of(stage: str) -> float | None:
    """The share of the budget that had been spent, None for stages of another sort."""
    return float(stage.removeprefix(_BUDGET)) if stage.startswith(_BUDGET) else None


def request_of(stage: str) -> int | None:
    """The number of requests that had been done, None for stages of another sort."""
    return int(stage.removeprefix(_REQUEST)) if stage.startswith(_REQUEST) else None


def is_on_the_way(stage: str) -> bool:
    return stage.startswith((_BUDGET, _REQUEST))
