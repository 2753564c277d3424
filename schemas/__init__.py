"""The vocabulary: row records with their Arrow schemas, one config per stage, the errors."""
