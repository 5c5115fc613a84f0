"""Unlearning more or fewer of the same people."""
