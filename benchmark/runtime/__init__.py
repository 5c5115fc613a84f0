"""This machine: processors, GPUs, memory, hub, stopwatch."""
