"""What generates and scores text, and the actors that hold it."""
