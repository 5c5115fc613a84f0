"""The tasks: one folder each, with its card."""
