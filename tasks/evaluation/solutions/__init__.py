"""Figures of sampled solutions."""
