"""Solutions that were sampled elsewhere, brought into a run."""
