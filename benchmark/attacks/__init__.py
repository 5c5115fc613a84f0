"""Attacks that try to recover forgotten knowledge, run on target, oracles and methods alike."""
