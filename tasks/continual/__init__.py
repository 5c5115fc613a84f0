"""Sequential requests."""
