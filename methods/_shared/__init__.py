"""Code shared by several methods; the source hash of each method includes what it uses."""
