"""Step labels: after which steps a solution can still end right."""
