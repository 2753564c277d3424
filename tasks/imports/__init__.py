"""Solutions that somebody else sampled, brought into a run."""
