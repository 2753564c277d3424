"""The builders of training sets, each in its own file."""
