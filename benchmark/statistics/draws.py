"""Bootstrap draws packed for the site, where a reader chooses which rows to compare."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np

from benchmark.statistics.tables import Place, Row, where_of
from benchmark.statistics.variants import QUANTITIES, VariantScores

STEPS = 65534  # equal steps of the unit interval, coded in 16 bits
UNDEFINED = 65535


def draw_rows(place: Place, scores: VariantScores, method: str) -> Iterator[Row]:
    """Yields each quantity of a method on which the variant is informative, packed: the plain
    estimate, then one value per draw; all methods of the variant share the draws.
    """
    where: Row = where_of(place)
    for name in QUANTITIES:
        if scores.informs(name):
            packed_values = packed(scores.quantity(method, name))
            yield where | {"method": method, "quantity": name, "packed": packed_values}


def packed(values: np.ndarray) -> str:
    """Values between 0 and 1 as little-endian 16-bit integers in base 64; NaN is UNDEFINED."""
    whole = np.where(np.isnan(values), UNDEFINED, np.rint(np.clip(values, 0, 1) * STEPS))
    return base64.b64encode(whole.astype("<u2").tobytes()).decode()


def unpacked(text: str) -> np.ndarray:
    """The packed values, to within half a step."""
    whole = np.frombuffer(base64.b64decode(text), dtype="<u2")
    return np.where(whole == UNDEFINED, np.nan, whole / STEPS)
