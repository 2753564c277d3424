"""Loops of self-improvement, a flow each."""
