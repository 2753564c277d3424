"""The rows of a built training set, a page at a time, from the files of its folder in the store."""

from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StoreUnreachable, StoreUnusable
from storage.folded import one_line
from storage.store import Store

_FOLDER = "datasets"


def built_rows(store: Store, path: str, start: int, num: int) -> list[dict[str, Any]]:
    """Rows `start` to `start + num` of a set, in its order; fewer where it ends.

    Token ids are left out. Only the row groups that hold the rows are read.

    Args:
        store: has the set.
        path: the set's folder, as `training_sets` has it.
        start: the number of rows before the first one.
        num: how many.

    Raises:
        FileNotFoundError: the store has no files of the set.
        StoreUnusable: the path is not that of a set, or a file is damaged.
    """
    found: list[dict[str, Any]] = []
    for name in set_files(store, path):
        if num <= len(found):
            break
        try:
            with store.files_root.open(name) as stream:
                start, rows = _rows_of(stream, start, num - len(found))
        except (pa.ArrowException, OSError) as error:
            if getattr(error, "errno", None) is not None or isinstance(error, StoreUnreachable):
                raise
            raise StoreUnusable(f"{name} cannot be read: {one_line(error)}") from error
        found += rows
    return found


def set_files(store: Store, path: str) -> list[str]:
    """The files with the rows of a set, in order.

    Raises:
        FileNotFoundError: there are none.
        StoreUnusable: the path is not that of a set.
    """
    parts = PurePosixPath(path).parts
    if len(parts) != 2 or parts[0] != _FOLDER or parts[1] in (".", ".."):
        raise StoreUnusable(f"training set: expected a path {_FOLDER}/NAME, got {path!r}")
    names = sorted(
        name
        for name in store.files_root.files(path)
        if name.startswith(f"{path}/train-") and name.endswith(".parquet")
    )
    if not names:
        raise FileNotFoundError(f"{store.url} has no rows of the training set {path}")
    return names


def _rows_of(stream: pa.NativeFile, start: int, num: int) -> tuple[int, list[dict[str, Any]]]:
    """How many rows are still to be skipped after a file, and its rows after those before them."""
    file = pq.ParquetFile(stream)
    names = [name for name in file.schema_arrow.names if not name.endswith("_ids")]
    names += ["source_ids"] if "source_ids" in file.schema_arrow.names else []
    rows: list[dict[str, Any]] = []
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        if start >= size:
            start -= size
            continue
        table = file.read_row_group(group, columns=names)
        rows += table.slice(start, num - len(rows)).to_pylist()
        start = 0
        if len(rows) >= num:
            break
    return start, rows
