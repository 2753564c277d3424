"""The rewards of stored solutions, divided among their tokens."""
