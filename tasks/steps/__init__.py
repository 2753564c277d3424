"""Texts and token ids to steps and back."""
