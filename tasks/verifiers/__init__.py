"""How a scoring model reads a solution; the same code for training and for serving."""
