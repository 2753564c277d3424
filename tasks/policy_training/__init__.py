"""Policies from built sets, by imitation, preference or reward: a checkpoint and its figures."""
