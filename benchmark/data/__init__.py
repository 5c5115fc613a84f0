"""Where examples come from: files, texts, invented names, what a model knows, a generated world."""
