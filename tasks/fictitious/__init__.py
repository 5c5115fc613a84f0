"""Forgetting fictitious people."""
