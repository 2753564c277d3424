"""Training sets from stored solutions."""
