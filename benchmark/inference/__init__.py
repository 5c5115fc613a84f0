"""A model answers: scoring, generation, vLLM."""
