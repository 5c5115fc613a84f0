"""Metrics: pure functions from per-example outputs to values, one file per family."""

from benchmark.metrics.base import METRICS, Metric
from benchmark.metrics.sample import Sample

# Importing a family registers its metrics.
from benchmark.metrics import distribution, generation, membership, memorization  # isort: skip  # noqa: F401
from benchmark.metrics import fluency, margins, measured, patching  # isort: skip  # noqa: F401
from benchmark.metrics import probability, reference_attacks, union  # isort: skip  # noqa: F401

__all__ = ["METRICS", "Metric", "Sample"]
