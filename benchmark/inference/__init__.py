"""Inference: predictors, the scoring and generation passes, and the vLLM engine."""
