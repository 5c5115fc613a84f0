"""Turns text into tensors for training and inference: prompts, batches, prefix trees, losses."""
