"""Evaluation: one scoring pass and one generation pass per model, returned as samples."""
