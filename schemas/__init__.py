"""The vocabulary: records of rows with their Arrow schemas, a config per stage, the errors."""
