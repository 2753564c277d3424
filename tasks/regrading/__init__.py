"""New verdicts on solutions that are stored already."""
