"""Contracts, without torch: examples, task data, requests, tasks, methods, registry."""
