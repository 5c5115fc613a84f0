"""Evaluation: one scoring pass and one generation pass per model, turned into samples."""
