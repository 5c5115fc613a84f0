"""TOFU: invented authors whom a model is taught, and some of whom it is to forget."""
