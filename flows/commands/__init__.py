"""The commands of `stepmill`, a module each."""
