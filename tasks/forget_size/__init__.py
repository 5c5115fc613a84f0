"""Forgetting more or fewer of the same people."""
