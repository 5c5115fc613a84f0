"""TOFU: fictitious authors that a model is taught, some of whom it must forget."""
