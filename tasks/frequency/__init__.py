"""Unlearning facts by how often they were seen in training."""
