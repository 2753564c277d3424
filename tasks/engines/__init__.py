"""Engines, which generate and score text, and the actors that run them."""
