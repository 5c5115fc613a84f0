"""Unlearning fictitious people."""
