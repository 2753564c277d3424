"""The built-in world: its problems, its students, its exact checker and its tokenizer."""
