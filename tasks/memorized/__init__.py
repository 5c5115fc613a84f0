"""Memorised sequences."""
