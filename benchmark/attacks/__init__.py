"""Attacks: ways to bring forgotten knowledge back, run on target, oracles and methods alike."""
