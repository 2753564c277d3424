"""Solutions made wrong on purpose, with what is known about their errors."""
