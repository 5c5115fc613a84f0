"""Forgetting facts by how often they were seen."""
