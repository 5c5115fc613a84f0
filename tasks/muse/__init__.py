"""News and books that a model was trained on and must forget."""
