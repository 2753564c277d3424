"""What runs after what: a flow per stage, and `factory` for the whole line."""
