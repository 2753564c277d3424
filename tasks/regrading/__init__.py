"""New verdicts on stored solutions."""
