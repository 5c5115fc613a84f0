"""What several methods use; it is hashed with each of them."""
