"""Attacks: ways to bring forgotten knowledge back, run on target, oracles and methods alike."""

from benchmark.attacks.base import ATTACKS, Attack
from benchmark.attacks.quantize import QuantizeInt4
from benchmark.attacks.relearn import RelearnDisjoint

__all__ = ["ATTACKS", "Attack", "QuantizeInt4", "RelearnDisjoint"]
