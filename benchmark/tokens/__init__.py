"""Text to tensors, for training and inference alike: prompts, batches, prefix trees, losses."""
