"""The loops of self-improvement, each a flow."""
