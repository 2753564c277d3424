"""How a model is prompted."""
