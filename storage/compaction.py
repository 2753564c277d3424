"""Fold many small files into few, in place or into a new store.

In place (local stores): the files of one folder, a stage of a run, are written again as one file
that names its units (`folded.py`), in a new folder beside it. Then, while no SQL connection is open
and no commit is in progress (`locks.py`), one system call exchanges the two folders. A tool that
lists the folder sees either all small files or the folded one, never both or neither; a process
killed at any moment leaves one of the two.

In object stores folders cannot be exchanged: `copy_store` writes a folded copy under another root,
with its marker last, and leaves the original unchanged. It works between any two roots.
"""

import ctypes
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StoreUnusable
from schemas.rows import SCHEMA_VERSION, TABLES, TableSpec
from schemas.tables import VERSION_KEY
from schemas.units import UnitPath
from storage.checksums import SEALED, open_checked, read_checked, seal
from storage.folded import UNITS_KEY, UnitRows, read_units, units_metadata
from storage.health import table_of, whole_files
from storage.locks import alone
from storage.marker import MARKER, put_marker
from storage.roots import LocalRoot, Root, open_root, scratch_folder
from storage.store import Store

SMALL_BYTES = 1000**2
"""A file below this size is small: opening it takes a query longer than reading it."""
_MAX_BYTES = 256 * 1024**2
"""Maximum size of a folded file."""
_ROW_GROUP_ROWS = 122_880
"""Rows that DuckDB reads as one piece."""
_ROW_GROUP_BYTES = 128 * 1024**2
_TIMEOUT_S = 60.0
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """The result of folding one folder."""

    folder: str
    files_before: int
    files_after: int
    num_units: int
    num_rows: int
    bytes_before: int
    bytes_after: int


OnFolder = Callable[[Folding], None]


@dataclass(frozen=True, slots=True)
class _Source:
    """A file to be folded, and the units in it."""

    path: str
    num_bytes: int
    units: list[UnitRows]


def compact(
    store: Store,
    *,
    run_id: str | None = None,
    min_files: int = 2,
    timeout_s: float = _TIMEOUT_S,
    on_folder: OnFolder | None = None,
) -> list[Folding]:
    """Fold the files of a local store in place, folder by folder; what was done.

    Runs may continue during this: what they commit is not changed.

    Args:
        store: a store in a local folder.
        run_id: fold only the files of this run; None for all.
        min_files: fold only folders with at least this many small files; 2 for all that have
            several files of any size.
        timeout_s: seconds to wait for open SQL connections to close.
        on_folder: called for each folded folder.

    Raises:
        StoreUnusable: it is an object store, a reader did not close, or the file system cannot
            exchange two folders; folders that are already folded remain so.
    """
    if not isinstance(store.files_root, LocalRoot):
        raise StoreUnusable(
            f"{store.url}: expected a local folder; an object store is folded into a new one: "
            "`stepmill compact --to NEW_ROOT`"
        )
    done = []
    for folder, files in _folders(store, run_id=run_id, min_files=min_files).items():
        groups = [group for group in _groups(_foldable(store, files)) if len(group) > 1]
        if groups:
            store.raise_version()
        if groups and (folding := _fold_in_place(store, folder, groups, timeout_s)):
            done.append(folding)
            if on_folder is not None:
                on_folder(folding)
    return done


def copy_store(store: Store, target: str, *, on_folder: OnFolder | None = None) -> list[Folding]:
    """Write a folded copy of a store under another root; the store itself is not changed.

    Units that are committed after the copy began are not in it.

    Raises:
        StoreUnusable: the target already contains files.
    """
    root = open_root(target)
    if isinstance(root, LocalRoot):
        root.folder.mkdir(parents=True, exist_ok=True)
    if root.files():
        raise StoreUnusable(f"{root.url}: expected an empty root, got one with files")
    done, copied = [], set()
    for folder, files in _folders(store).items():
        sources = _foldable(store, files)
        copied |= {source.path for source in sources}
        sizes = []
        for group in _groups(sources):
            with scratch_folder(root) as scratch:
                file = _write(store.files_root, group, scratch)
                sizes.append(file.stat().st_size)
                root.put(file, f"{folder}/{file.name}")
        folding = _folding(folder, sources, files_after=len(sizes), bytes_after=sum(sizes))
        done.append(folding)
        if on_folder is not None:
            on_folder(folding)
    for path in store.files_root.files():
        if path.split("/", 1)[0] not in TABLES and path != MARKER:
            _copy(store.files_root, path, root)
    put_marker(root)
    return done


def _folders(
    store: Store, *, run_id: str | None = None, min_files: int = 2
) -> dict[str, dict[str, int]]:
    """The readable files of each folder that holds any, with their sizes."""
    if run_id is None:
        there = store.files_root.tables().sizes
    else:
        below = (f"{table}/run_id={run_id}" for table in TABLES)
        there = {p: n for folder in below for p, n in store.files_root.files(folder).items()}
    folders: dict[str, dict[str, int]] = {}
    for path, size in there.items():
        if table_of(path) is not None:
            folders.setdefault(str(PurePosixPath(path).parent), {})[path] = size
    found = {
        folder: whole_files(store, sizes)[0]
        for folder, sizes in folders.items()
        if min_files <= 2 or sum(size < SMALL_BYTES for size in sizes.values()) >= min_files
    }
    return {folder: sizes for folder, sizes in found.items() if sizes}


def _foldable(store: Store, files: dict[str, int]) -> list[_Source]:
    """The files with the columns of their table; others are left unchanged."""
    sources = []
    for path, size in files.items():
        try:
            with store.files_root.open(path) as stream:
                file = open_checked(stream)
                units, schema = read_units(path, file.metadata), file.schema_arrow
        except (pa.ArrowException, ValueError, OSError):
            continue
        if (
            _is_ours(_spec_of(path), schema)
            and sum(u.rows for u in units) == file.metadata.num_rows
        ):
            sources.append(_Source(path, size, units))
    return sources


def _is_ours(spec: TableSpec, schema: pa.Schema) -> bool:
    """Whether a file has the columns of its table, except those added in later versions."""
    metadata = schema.metadata or {}
    if VERSION_KEY not in metadata or int(metadata[VERSION_KEY]) > SCHEMA_VERSION:
        return False
    there = {field.name: field.type for field in schema}
    wanted = {field.name: field.type for field in spec.schema}
    absent = wanted.keys() - there.keys()
    same = all(wanted.get(name) == kind for name, kind in there.items())
    return same and all(spec.schema.field(name).nullable for name in absent)


def _groups(sources: Sequence[_Source]) -> list[list[_Source]]:
    """Groups of consecutive files, each of which fills one folded file."""
    groups: list[list[_Source]] = []
    size = 0
    for source in sources:
        if not groups or size + source.num_bytes > _MAX_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(source)
        size += source.num_bytes
    return groups


def _fold_in_place(
    store: Store, folder: str, groups: list[list[_Source]], timeout_s: float
) -> Folding | None:
    """Replace this folder by one with the folded files; None if it has changed."""
    live, sources = store.root / folder, [source for group in groups for source in group]
    with store.scratch() as scratch:
        built = scratch / live.name
        built.mkdir()
        shutil.copystat(live, built)
        new = [_write(store.files_root, group, built) for group in groups]
        with alone(store.root / MARKER, timeout_s=timeout_s):
            names = {path.name for path in live.iterdir()}
            folded = {PurePosixPath(source.path).name for source in sources}
            if not folded <= names:
                return None  # another process folded them
            for name in names - folded:
                os.link(live / name, built / name)
            _exchange(built, live)
        # `built` is the old folder after the exchange; it is removed with the scratch folder.
        return _folding(
            folder,
            sources,
            files_after=len(new),
            bytes_after=sum((live / path.name).stat().st_size for path in new),
        )


def _write(root: Root, group: Sequence[_Source], folder: Path) -> Path:
    """Write a group's rows as one file; a group of one keeps its name and bytes."""
    if len(group) == 1:
        target = folder / PurePosixPath(group[0].path).name
        with root.open(group[0].path) as stream:
            target.write_bytes(stream.read())
        return target
    spec, units = _spec_of(group[0].path), [unit for source in group for unit in source.units]
    digest = hashlib.sha256("\x1f".join([group[0].path, *(u.name for u in units)]).encode())
    target = folder / f"folded-{digest.hexdigest()[:32]}.parquet"
    metadata = {**(spec.schema.metadata or {}), UNITS_KEY: units_metadata(units), **SEALED}
    schema = spec.schema.with_metadata(metadata)
    num_rows = 0
    with pq.ParquetWriter(target, schema, compression="zstd", write_page_checksum=True) as writer:
        for table in _row_groups(root, group, spec):
            writer.write_table(table.cast(schema), row_group_size=_ROW_GROUP_ROWS)
            num_rows += table.num_rows
    seal(target)
    expected = sum(unit.rows for unit in units)
    if num_rows != expected:
        raise StoreUnusable(
            f"{group[0].path} and its neighbours: expected {expected} rows, got {num_rows}"
        )
    return target


def _row_groups(root: Root, group: Sequence[_Source], spec: TableSpec) -> Iterator[pa.Table]:
    """The rows of the files in order, in pieces that fit into memory."""
    waiting: list[pa.Table] = []
    for source in group:
        with root.open(source.path) as stream:
            file = read_checked(stream)
            for index in range(file.num_row_groups):
                waiting.append(_with_all_columns(spec, file.read_row_group(index)))
                rows = sum(table.num_rows for table in waiting)
                num_bytes = sum(table.nbytes for table in waiting)
                if rows >= _ROW_GROUP_ROWS or num_bytes >= _ROW_GROUP_BYTES:
                    yield pa.concat_tables(waiting)
                    waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _with_all_columns(spec: TableSpec, table: pa.Table) -> pa.Table:
    """A table of an older version with the columns added since, which are null."""
    columns = [
        table.column(field.name)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in spec.schema
    ]
    return pa.Table.from_arrays(columns, schema=spec.schema)


def _copy(source: Root, path: str, target: Root) -> None:
    with scratch_folder(target) as scratch, source.open(path) as stream:
        file = scratch / "file"
        file.write_bytes(stream.read())
        target.put(file, path)


def _exchange(first: Path, second: Path) -> None:
    """Exchange two folders in one step.

    Raises:
        StoreUnusable: this file system cannot.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.renameat2(
        _AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE
    )
    if not failed:
        return
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        raise StoreUnusable(
            f"{second}: its file system cannot exchange two folders: "
            "use `stepmill compact --to NEW_ROOT`"
        )
    raise OSError(code, os.strerror(code), str(second))


def _folding(
    folder: str, sources: Sequence[_Source], *, files_after: int, bytes_after: int
) -> Folding:
    units = [unit for source in sources for unit in source.units]
    return Folding(
        folder=folder,
        files_before=len(sources),
        files_after=files_after,
        num_units=len(units),
        num_rows=sum(unit.rows for unit in units),
        bytes_before=sum(source.num_bytes for source in sources),
        bytes_after=bytes_after,
    )


def _spec_of(path: str) -> TableSpec:
    return TABLES[UnitPath.parse(path).table]
