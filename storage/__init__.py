"""The store: reading and writing unit files, and the SQL catalog over them."""

from storage.catalog import connect, query
from storage.store import Store

__all__ = ["Store", "connect", "query"]
