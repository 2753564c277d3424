"""Test-time search: every published strategy as one coroutine over the same few moves."""
