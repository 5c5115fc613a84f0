"""News and books that a model read and is to forget."""
