"""What a run shows in the Prefect UI: artifacts, pages and pictures."""
