"""Unlearning memorised passages."""
