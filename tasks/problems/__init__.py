"""Problems: the built-in world's, and sets read from the hub or from files."""
