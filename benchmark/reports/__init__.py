"""Terminal tables and generated documents."""
