"""Figures of critics: what they find in solutions, and what second attempts gain by it."""
