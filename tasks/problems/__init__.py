"""Problems: the built-in world, and sets read from the hub or from files."""
