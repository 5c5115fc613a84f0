"""In and out of distribution."""
