"""Which files of a store can be read, and what is wrong with the others.

A committed file is whole: it appeared under its name in one step. What is half-written or damaged
here came otherwise: a copy that was cut off, a failing disk, somebody's own file.
"""

import re

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.rows import TABLES
from storage.store import Store

_COMMITTED = re.compile(rf"({'|'.join(TABLES)})/run_id=[^/]+/stage=[^/]+/[^/]+\.parquet")
_MAGIC = b"PAR1"
_TAIL_BYTES = 8
"""A Parquet file ends with the length of its footer, four bytes, and the magic bytes."""


def committed_files(store: Store) -> tuple[dict[str, int], dict[str, str]]:
    """The unit files of all tables with their sizes, and those that end wrongly with the reason.

    Only the last bytes of each are looked at, which finds every file that was cut off.
    """
    there = store.files_root.files()
    files = {path: size for path, size in there.items() if _COMMITTED.fullmatch(path)}
    tails = store.files_root.tails(files, _TAIL_BYTES)
    skipped = {}
    for path, size in files.items():
        if path in tails and (reason := _wrong_end(tails[path], size)):
            skipped[path] = reason
    return {p: size for p, size in files.items() if p in tails and p not in skipped}, skipped


def unreadable_footers(store: Store, paths: list[str]) -> dict[str, str]:
    """Those of the files whose footer cannot be read, with the reason."""
    found = {}
    for path in paths:
        try:
            with store.files_root.open(path) as stream:
                pq.read_metadata(stream)
        except (pa.ArrowException, ValueError, OSError) as error:
            found[path] = f"its footer cannot be read: {error}"
    return found


def _wrong_end(tail: bytes, size: int) -> str | None:
    """Why a file with these last bytes is no whole Parquet file; None if it may be one."""
    if size < _TAIL_BYTES + len(_MAGIC):
        return f"too short for a Parquet file: {size} bytes"
    if not tail.endswith(_MAGIC):
        return "it does not end as a Parquet file does: cut off, or never one"
    if int.from_bytes(tail[:4], "little") > size:
        return "its footer would be longer than the file"
    return None
