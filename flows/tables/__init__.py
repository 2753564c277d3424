"""Stored figures and rows as tables for a terminal."""
