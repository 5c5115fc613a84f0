"""Jobs on workers, with estimates and progress."""
