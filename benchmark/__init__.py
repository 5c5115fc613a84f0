"""Palimpsest: the benchmark suite for unlearning in large language models (the engine)."""

__version__ = "0.1.0"
