"""Verifiers from labelled steps: examples in, a checkpoint and its held-out figures out."""
