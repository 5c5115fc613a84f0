"""For authors of methods: a file to start from, and a check of it before the first run."""
