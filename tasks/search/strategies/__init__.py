"""The search strategies, each in its own file."""
