"""Which files of a store can be read, and what is wrong with the others.

A committed file is whole, as it appears under its name in one step. A half-written or damaged file
has another origin: an interrupted copy, a failing disk, or a file that was put there by hand.
"""

import pyarrow as pa

from schemas.rows import TABLES, TableSpec
from schemas.tables import VERSION_KEY
from schemas.units import UnitPath
from storage.checksums import open_checked
from storage.folded import one_line
from storage.local_files import Listing
from storage.store import Store

_MAGIC = b"PAR1"
_TAIL_BYTES = 8
"""A Parquet file ends with the length of its footer, four bytes, and the magic bytes."""
_KEPT_BYTES = 32 * 1024
_MAX_KEPT_BYTES = 256 * 1024**2


def committed_files(store: Store) -> tuple[dict[str, int], dict[str, str]]:
    """The unit files of all tables with their sizes, and those with a wrong end, with the reason.

    Only the last bytes of each file are read, which finds every file that was cut off.
    """
    listing, strange = unit_files(store)
    files, skipped = whole_files(store, listing.sizes)
    return files, strange | skipped


def whole_files(store: Store, sizes: dict[str, int]) -> tuple[dict[str, int], dict[str, str]]:
    """Of these files those with the end of a Parquet file, and the others, with the reason."""
    skipped: dict[str, str] = {}
    tails = store.files_root.tails(sizes, _TAIL_BYTES)
    return with_right_ends(sizes, tails, skipped), skipped


def unit_files(store: Store) -> tuple[Listing, dict[str, str]]:
    """What is at the paths of units; with the reason, what is there and is no file."""
    listing = store.files_root.tables()
    sizes = {path: size for path, size in listing.sizes.items() if table_of(path) is not None}
    strange = {
        path: f"it is no file but {kind}"
        for path, kind in listing.strange.items()
        if table_of(path) is not None
    }
    return Listing(sizes, listing.marks, {}), strange


def kept_tails(store: Store, files: dict[str, int]) -> dict[str, bytes]:
    """The ends of files, which contain most footers unless the files are very many."""
    num_bytes = max(_TAIL_BYTES, min(_KEPT_BYTES, _MAX_KEPT_BYTES // max(1, len(files))))
    return store.files_root.tails(files, num_bytes)


def with_right_ends(
    files: dict[str, int], tails: dict[str, bytes], skipped: dict[str, str]
) -> dict[str, int]:
    """The files that end as Parquet files do; others are added to `skipped`, with the reason.

    A file without a tail is gone since it was listed.
    """
    for path, size in files.items():
        if path in tails and (reason := wrong_end(tails[path], size)):
            skipped[path] = reason
    return {p: size for p, size in files.items() if p in tails and p not in skipped}


def table_of(path: str) -> TableSpec | None:
    """The table of a file with this path; None if it is not the path of a unit."""
    try:
        return TABLES.get(UnitPath.parse(path).table)
    except ValueError:
        return None


def read_footer(store: Store, path: str) -> tuple[str | None, int | None]:
    """Why a file does not belong to its table (None if it does), and its schema version."""
    try:
        with store.files_root.open(path) as stream:
            schema = open_checked(stream).schema_arrow
        version = (schema.metadata or {}).get(VERSION_KEY)
        reason = misfit(TABLES[UnitPath.parse(path).table], schema)
        return reason, None if version is None else int(version)
    except (pa.ArrowException, ValueError, OSError) as error:
        return f"its footer cannot be read: {one_line(error)}", None


def misfit(spec: TableSpec, schema: pa.Schema) -> str | None:
    """Why a file of this schema cannot be one of the table; None if it can."""
    for name in schema.names:
        if schema.names.count(name) > 1:
            return f"it has {schema.names.count(name)} columns {name}"
    for column in spec.schema:
        if column.name not in schema.names:
            if not column.nullable:
                return f"it has no column {column.name}, as every file of {spec.name} has"
        elif _plain(schema.field(column.name).type) != _plain(column.type):
            return (
                f"its column {column.name} is {schema.field(column.name).type}, "
                f"expected {column.type}"
            )
    return None


def _plain(kind: pa.DataType) -> object:
    """A type as far as it matters: other writers differ in names of list items and offset sizes."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return ["list", _plain(kind.value_type)]
    if pa.types.is_struct(kind):
        return {field.name: _plain(field.type) for field in kind}
    if pa.types.is_timestamp(kind):
        # SQL has another type for nanoseconds, and Python's times do not hold them.
        return "timestamp" if kind.tz and kind.unit != "ns" else str(kind)
    return "string" if pa.types.is_large_string(kind) else str(kind)


def wrong_end(tail: bytes, size: int) -> str | None:
    """Why a file with these last bytes is not a whole Parquet file; None if it can be one."""
    if size < _TAIL_BYTES + len(_MAGIC):
        return f"too short for a Parquet file: {size} bytes"
    if not tail.endswith(_MAGIC):
        return "it does not end as a Parquet file does: cut off, or never one"
    if int.from_bytes(tail[-_TAIL_BYTES:-4], "little") > size:
        return "its footer would be longer than the file"
    return None
