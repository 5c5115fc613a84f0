"""Ids of probes: the further questions that attacks ask about an example."""

from __future__ import annotations

PROBE = "~"  # separates an example's id from the name of its probe


def probed(example_id: str) -> str:
    """The id of the example that a probe asks about."""
    return example_id.partition(PROBE)[0]
