"""The search strategies, a file each."""
