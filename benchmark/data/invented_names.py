"""Invented names of people who never existed."""

from __future__ import annotations

import random

_BEGINNINGS = (
    "Bra Cal Dor Fen Gar Hal Jor Kel Lan Mor Nev Orl Pel Quin Ros Sel Tor Ulm Var Wen Yar Zel"
).split()
_MIDDLES = "a e i o u an ar en er il in on or".split()
_ENDINGS = "dane ford gast hart lund mark nell quist rand stad thal vane ward wick".split()


def coined_names(count: int, seed: str) -> list[str]:
    """`count` distinct invented names of two words. None ends in s, so possessives are regular."""
    rng = random.Random(f"coined-{seed}")
    names: dict[str, None] = {}
    while len(names) < count:
        first = rng.choice(_BEGINNINGS) + rng.choice(_MIDDLES)
        names[f"{first} {rng.choice(_BEGINNINGS)}{rng.choice(_MIDDLES)}{rng.choice(_ENDINGS)}"] = (
            None
        )
    return list(names)
