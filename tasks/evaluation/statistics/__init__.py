"""Statistics without a model or a store: intervals, curves, bins."""
