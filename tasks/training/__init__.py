"""Policies and verifiers from built sets: one trainer, a module per method and per reward."""
