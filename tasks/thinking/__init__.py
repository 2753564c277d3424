"""Thoughts of models: told from answers, counted, ended or prolonged."""
