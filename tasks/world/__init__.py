"""The built-in world: its problems, students and reviewers, its exact checker and its tokenizer."""
