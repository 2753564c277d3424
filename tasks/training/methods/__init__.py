"""A module per training method, named after its config's `type`; its trainer is `TRAINER`."""
