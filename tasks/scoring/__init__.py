"""One verifier's scores of stored trajectories."""
