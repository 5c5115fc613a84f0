"""Sequential unlearning requests."""
