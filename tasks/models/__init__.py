"""Model folders: names, files, checkpoints."""
