"""What a run shows in Prefect's UI: artifacts, pages and pictures."""
