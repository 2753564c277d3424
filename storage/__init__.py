"""The store: reading and writing unit files, and the SQL catalog over them."""

from storage.catalog import connect, query
from storage.store import Store
from storage.table_views import open_cursor

__all__ = ["Store", "connect", "open_cursor", "query"]
