"""One training loop and the loss primitives that every method shares."""
