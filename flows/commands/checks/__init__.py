"""What `stepmill doctor` checks."""
