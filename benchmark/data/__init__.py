"""Sources of examples: files, texts, invented names, a model's knowledge and a generated world."""
