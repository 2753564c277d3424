"""Statistics that need no model or store: intervals, curves, bins."""
