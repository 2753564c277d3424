"""Experiments: flows that run other flows as their parts and say which published relations hold."""
