"""Indexes of documents: made once, kept as folders, and searched by queries."""
