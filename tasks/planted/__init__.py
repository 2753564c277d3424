"""The planted-subsequence study: what a verifier buys over imitation (arXiv:2502.12118)."""
