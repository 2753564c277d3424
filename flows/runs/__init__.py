"""What the stage flows share: units, names, records and progress of a run."""
