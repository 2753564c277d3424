"""Solutions that run programs while they are written."""
