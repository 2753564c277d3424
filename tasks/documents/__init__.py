"""The documents stage: documents into a run, and their index."""
