"""Evaluation: figures with intervals, computed from stored rows alone."""
