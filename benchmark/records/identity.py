"""A cell's identity: a hash of what changes its outcome, and only of that.

Not in it: commit, machine, time, threads, paths, the names of suites. The recipe is pinned by a
golden test, because changing it orphans every published record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.core.hashing import fingerprint

EVALUATION_VERSION = (
    2  # raise it when the same cell would be trained, looked at or attacked differently
)


@dataclass(frozen=True)
class Identity:
    """All that goes into a cell's id."""

    track: str
    task: str
    task_version: int
    variant: str
    data_fingerprint: str
    model_fingerprint: str
    oracle_fingerprints: Sequence[str]
    method: str
    method_source: str
    parameters: dict[str, Any]
    budget: dict[str, int]
    seed: int
    precision: str
    generation: dict[str, Any]
    metrics: dict[str, int]
    evaluation: int = EVALUATION_VERSION

    @property
    def id(self) -> str:
        """16 hex digits."""
        return fingerprint(vars(self))
