"""Attacks that try to recover forgotten knowledge, run alike on target, oracles and methods."""
