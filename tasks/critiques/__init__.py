"""Critiques of stored solutions, and the actor's second attempts."""
