"""Trains the shipped policy from scratch: a small Llama that learns from simulated students."""
