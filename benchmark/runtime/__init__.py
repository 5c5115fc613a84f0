"""This machine: memory, hub, stopwatch."""
