"""Unlearning in-distribution and out-of-distribution facts."""
