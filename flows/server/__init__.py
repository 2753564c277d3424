"""The Prefect server of this machine."""
