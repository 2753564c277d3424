"""What is trained and how: the recipe that all methods share, and a config per method."""
