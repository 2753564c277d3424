"""What trains models."""
