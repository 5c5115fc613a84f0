"""Execution of jobs on workers, with time estimates and a progress display."""
