"""Ids of examples that an attack asks for in another way."""

from __future__ import annotations

PROBE = "~"  # between an example's id and the name of the probe that asks for it


def probed(example_id: str) -> str:
    """The id of the example that a probe asks for."""
    return example_id.partition(PROBE)[0]
