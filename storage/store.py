"""The unit files of one root, written and read under the commit rule.

A unit writes one file. The file is finished elsewhere and then gets its name in one step that fails
if the name is taken (`roots.py`). So a file appears whole and exactly once, and a unit whose file
exists is done. Nothing else records what is finished. `compaction.py` may fold the files of many
units into one; the path of a unit still names its rows.
"""

import contextlib
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StoreUnusable
from schemas.rows import SCHEMA_VERSION, TABLES, TableSpec, from_table, to_table
from schemas.units import Receipt, Unit, UnitPath, stage_folder
from storage.checksums import SEALED, open_checked, read_checked, seal
from storage.folded import (
    UNITS_KEY,
    FoldedIndex,
    Place,
    UnitRows,
    is_folded,
    read_units,
    readable,
    units_metadata,
)
from storage.folders import cache_folder, fetch_folder
from storage.locks import shared
from storage.marker import MARKER, check_keeps_files, raise_version, read_version
from storage.older_rows import present_records
from storage.roots import UNFINISHED, LocalRoot, ObjectRoot, open_root, scratch_folder, staged_file

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TOKEN_COLUMNS = ("prompt_tokens", "cached_tokens", "generated_tokens", "scored_tokens")


class Store:
    """The unit files below one root: a local folder, or `s3://bucket/prefix`."""

    def __init__(self, root: str | Path, *, create: bool = True) -> None:
        """Open a store, or create an empty one.

        Raises:
            StoreUnusable: the root is not a store, cannot be written, cannot keep the commit rule,
                or is of a newer version.
        """
        self.files_root = open_root(root)
        if isinstance(self.files_root, LocalRoot) and "\n" in self.files_root.url:
            raise StoreUnusable(f"root {self.files_root.url!r}: expected a path in one line")
        self._folded = FoldedIndex(self.files_root)
        self._object_folders: dict[str, list[str]] = {}
        try:
            self.schema_version = read_version(self.files_root, create=create)
        except OSError as error:
            raise StoreUnusable(f"cannot open a store at {self.url}: {error}") from error

    @property
    def url(self) -> str:
        """The root by which any process opens this store."""
        return self.files_root.url

    @property
    def root(self) -> Path:
        """The folder of a local store.

        Raises:
            StoreUnusable: the store is in an object store.
        """
        if not isinstance(self.files_root, LocalRoot):
            raise StoreUnusable(f"{self.url}: expected a local folder")
        return self.files_root.folder

    def has(self, unit: Unit) -> bool:
        """Whether the unit's rows are committed."""
        return self.files_root.exists(unit.path) or unit.path in self._places_beside(unit.path)

    def missing(self, units: Sequence[Unit]) -> list[Unit]:
        """The units that are not committed, in order; one listing per folder."""
        folders = {_folder_of(unit.path) for unit in units}
        there = {path for folder in folders for path in self._unit_paths(folder)}
        return [unit for unit in units if unit.path not in there]

    def commit(
        self, unit: Unit, rows: Sequence[object] | pa.Table, seconds: float = 0.0
    ) -> Receipt:
        """Write a unit's rows as its file, whole and once; a file that exists is kept.

        Args:
            unit: names the file.
            rows: records of the unit's table in order, or an Arrow table of its schema.
            seconds: the time that the work took, kept in the file's metadata.

        Raises:
            ValueError: a name is unusable, or a row does not fit the table.
            OSError: the disk is full, the folder cannot be written, or the object store does not
                answer; nothing appears.
        """
        spec = _spec_of(unit)
        table: Any = rows if isinstance(rows, pa.Table) else to_table(spec, rows)
        if not table.schema.equals(spec.schema):
            raise ValueError(f"{unit.path}: expected the schema of {spec.name}, got {table.schema}")
        held = UnitRows(name=unit.name, rows=table.num_rows, seconds=seconds)
        metadata = {**(spec.schema.metadata or {}), UNITS_KEY: units_metadata([held]), **SEALED}
        with staged_file(self.files_root, ".parquet") as staged:
            pq.write_table(
                table.replace_schema_metadata(metadata),
                staged,
                compression="zstd",
                write_page_checksum=True,
            )
            seal(staged)
            check_keeps_files(self.files_root)
            self.raise_version()
            with self._no_compaction():
                was_there = unit.path in self._places_beside(unit.path)
                was_there = was_there or not self.files_root.put(staged, unit.path)
        if was_there:
            return self.receipt(unit)
        return _count(unit, table, seconds=seconds)

    def raise_version(self) -> None:
        """Mark the store as one with rows of this schema version, before it has any."""
        if self.schema_version < SCHEMA_VERSION:
            self.schema_version = raise_version(self.files_root)

    def receipt(self, unit: Unit) -> Receipt:
        """The receipt of a committed unit.

        Raises:
            FileNotFoundError: the unit is not committed.
        """
        table, seconds = self._read_table(unit.path)
        # An older file lacks the columns that were added later.
        wanted = [c for c in (*_TOKEN_COLUMNS, "status") if c in table.column_names]
        return _count(unit, table.select(wanted), seconds=seconds or 0.0, was_there=True)

    def read(self, path: str, rows: tuple[int, int] | None = None) -> list:
        """The records of a committed unit, or of a half-open range of its rows.

        Args:
            path: relative to the root; its first folder names the table.
            rows: for example (100, 200).

        Raises:
            FileNotFoundError: the unit is not committed.
            StoreUnusable: its file is not readable.
        """
        spec = TABLES[UnitPath.parse(path).table]
        table, _ = self._read_table(path)
        if rows is not None:
            table = table.slice(rows[0], rows[1] - rows[0])
        return present_records(spec, from_table(spec, table))

    def column(self, path: str, name: str) -> list[Any]:
        """One column of a committed unit, in the order of its rows.

        Raises:
            FileNotFoundError: the unit is not committed.
            StoreUnusable: its file is not readable.
        """
        table, _ = self._read_table(path)
        return table.column(name).to_pylist()

    def columns(self, path: str, names: Sequence[str]) -> pa.Table:
        """Some columns of a committed unit; of the records in a list only what counts them is read.

        A column that a file of an older version lacks is null.

        Raises:
            FileNotFoundError: the unit is not committed.
            StoreUnusable: its file is not readable.
        """
        spec = TABLES[UnitPath.parse(path).table]
        try:
            with self.files_root.open(path) as stream, readable(path):
                file = open_checked(stream)
                leaves = [file.metadata.schema.column(i).path for i in range(len(file.schema))]
                last = {leaf.split(".")[0]: leaf for leaf in leaves}
                found = file.read(columns=[last[name] for name in names if name in last])
        except FileNotFoundError:
            found, _ = self._read_table(path)
        filled = [
            found[name]
            if name in found.column_names
            else pa.nulls(found.num_rows, spec.schema.field(name).type)
            for name in names
        ]
        return pa.table(filled, names=list(names))

    def unit_at(self, path: str, row: int) -> str:
        """The path of the unit to which a row of a file belongs, which may be a folded one.

        Raises:
            ValueError: the file does not have so many rows.
        """
        if not is_folded(path):
            return path
        for unit, place in self._folded.places([path]).items():
            if place.start <= row < place.start + place.num_rows:
                return unit
        raise ValueError(f"{path}: expected a row below the number of its rows, got {row}")

    def num_rows(self, path: str) -> int:
        """The number of rows of a committed unit."""
        try:
            with self.files_root.open(path) as stream, readable(path):
                return open_checked(stream).metadata.num_rows
        except FileNotFoundError:
            return self._place_of(path).num_rows

    def files(self, table: str, *, run_id: str, stage: str, prefix: str = "") -> list[str]:
        """Paths of the committed units of a stage of a run, by name, relative to the root."""
        folder = stage_folder(table, run_id, stage)
        start = f"{folder}/{prefix}"
        return sorted(path for path in self._unit_paths(folder) if path.startswith(start))

    def put_folder(self, local: Path, name: str) -> None:
        """Give a finished local folder a name in the store; an existing folder is kept.

        In a local store it is moved, so it should be in `scratch()`; then it appears whole or not
        at all. In an object store its files appear one by one, so write rows about it afterwards.
        """
        if isinstance(self.files_root, LocalRoot):
            target = self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                local.rename(target)
            except OSError:
                if not target.is_dir():
                    raise
            return
        check_keeps_files(self.files_root)
        for file in sorted(local.rglob("*")):
            if file.is_file():
                self.files_root.put(file, f"{name}/{file.relative_to(local).as_posix()}")

    def put_file(self, local: Path, name: str) -> None:
        """Put a file that may be replaced, such as a picture, under a name in the store."""
        if isinstance(self.files_root, LocalRoot):
            target = self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
            shutil.copyfile(local, beside)
            beside.replace(target)
            return
        self.files_root.rewrite(name, local.read_bytes())

    def local_folder(self, name: str) -> Path:
        """A folder of the store as a local folder; from an object store it is fetched once.

        Raises:
            FileNotFoundError: the folder does not exist.
        """
        if isinstance(self.files_root, LocalRoot):
            folder = self.root / name
            if not folder.is_dir():
                raise FileNotFoundError(f"{self.url} has no folder {name}")
            return folder
        return fetch_folder(f"{self.url}/{name}")

    def work_folder(self, name: str) -> Path:
        """A local folder that is kept until its owner removes it, for work that may be interrupted.

        For a local store it is below the root; for an object store in the user's cache, so that
        only the same machine can resume from it.
        """
        if isinstance(self.files_root, LocalRoot):
            folder = self.root / UNFINISHED / name
        else:
            folder = cache_folder(self.url) / UNFINISHED / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for unfinished files, on the store's disk if it has one; removed afterwards."""
        with scratch_folder(self.files_root) as folder:
            yield folder

    def _no_compaction(self) -> contextlib.AbstractContextManager[None]:
        """Keep folders from being exchanged while a file gets its name in one."""
        if isinstance(self.files_root, LocalRoot):
            return shared(self.root / MARKER)
        return contextlib.nullcontext()

    def _unit_paths(self, folder: str) -> list[str]:
        paths = [path for path in self.files_root.files(folder) if path.endswith(".parquet")]
        return [p for p in paths if not is_folded(p)] + list(self._folded.places(paths))

    def _places_beside(self, path: str) -> dict[str, Place]:
        """The places of the units in the folded files of a unit's folder."""
        if isinstance(self.files_root, ObjectRoot):
            # An object store is never compacted in place, and a copy is folded before it becomes
            # a store, so one listing is enough.
            folder = _folder_of(path)
            if folder not in self._object_folders:
                self._object_folders[folder] = list(self.files_root.files(folder))
            return self._folded.places(self._object_folders[folder])
        names = self.root.joinpath(_folder_of(path)).glob("folded-*.parquet")
        return self._folded.places([p.relative_to(self.root).as_posix() for p in names])

    def _place_of(self, path: str) -> Place:
        place = self._places_beside(path).get(path)
        if place is None:
            raise FileNotFoundError(f"{self.url} has no committed file {path}")
        return place

    def _read_table(self, path: str) -> tuple[pa.Table, float | None]:
        """A unit's rows and seconds."""
        try:
            with self.files_root.open(path) as stream, readable(path):
                file = read_checked(stream)
                (unit,) = read_units(path, file.metadata)
                return _check_columns(path, file.read()), unit.seconds
        except FileNotFoundError:
            place = self._place_of(path)
            with readable(place.path):
                return self._folded.read(place), place.seconds


def check_name(kind: str, name: str) -> str:
    """The name, if it can name a folder or file of a store.

    Raises:
        ValueError: it cannot.
    """
    if not _NAME.fullmatch(name) or is_folded(name):
        raise ValueError(
            f"{kind} {name!r}: expected 1 to 100 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit"
        )
    return name


def _check_columns(path: str, table: pa.Table) -> pa.Table:
    spec = TABLES[UnitPath.parse(path).table]
    lacking = [f.name for f in spec.schema if not f.nullable and f.name not in table.column_names]
    if lacking:
        raise ValueError(f"no file of {spec.name}: it has no column {lacking[0]}")
    return table


def _spec_of(unit: Unit) -> TableSpec:
    for kind, name in (("run id", unit.run_id), ("stage", unit.stage), ("unit", unit.name)):
        check_name(kind, name)
    return TABLES[unit.table]


def _folder_of(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _count(
    unit: Unit, table: pa.Table, *, seconds: float = 0.0, was_there: bool = False
) -> Receipt:
    sums = {
        name: sum(filter(None, table.column(name).to_pylist()))
        for name in _TOKEN_COLUMNS
        if name in table.column_names
    }
    has_status = "status" in table.column_names
    errors = table.column("status").to_pylist().count("error") if has_status else 0
    return Receipt(
        path=unit.path,
        num_rows=table.num_rows,
        was_there=was_there,
        num_errors=errors,
        seconds=seconds,
        **sums,
    )
