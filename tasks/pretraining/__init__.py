"""Makes the shipped policy from nothing: a small Llama that reads simulated students."""
