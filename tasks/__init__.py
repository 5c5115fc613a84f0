"""The tasks: one folder per task, with its card."""
