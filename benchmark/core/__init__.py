"""Torch-free contracts: examples, task data, requests, tasks, methods, attacks, registry."""
