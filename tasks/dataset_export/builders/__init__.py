"""The builders of training sets, a file each."""
