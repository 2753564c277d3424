"""Unit files in and out of one root folder, under the commit rule.

A unit writes one file. It is written under `.staging/` and then linked to its final name, which
fails if the name is taken: so a file appears whole, exactly once, and a file that exists is done.
Nothing else records what is finished. What a killed process leaves under `.staging/` is never
read, and removed when it is a day old.
"""

import contextlib
import json
import os
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StoreUnusable
from schemas.rows import SCHEMA_VERSION, TABLES, TableSpec, from_table, to_table
from schemas.units import Receipt, Unit

_MARKER = "stepmill.json"
_STAGING = ".staging"
_STAGING_LIFE_S = 24 * 3600
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TOKEN_COLUMNS = ("prompt_tokens", "cached_tokens", "generated_tokens", "scored_tokens")


class Store:
    """One root folder of unit files."""

    def __init__(self, root: str | Path, *, create: bool = True) -> None:
        """Open a store, or make an empty one.

        Raises:
            StoreUnusable: the root is a URL, is no store, cannot be written, or is newer.
        """
        if "://" in str(root):
            raise StoreUnusable(f"root {root}: expected a local folder, got a URL")
        self.root = Path(root).expanduser().absolute()
        marker = self.root / _MARKER
        if not marker.exists():
            if not create:
                raise StoreUnusable(f"{self.root} is not a store: it has no {_MARKER}")
            self._create(marker)
        version = _schema_version(marker)
        if version > SCHEMA_VERSION:
            raise StoreUnusable(
                f"{self.root} was written by schema version {version}; this stepmill reads up to "
                f"{SCHEMA_VERSION}: use a newer stepmill"
            )

    def _create(self, marker: Path) -> None:
        try:
            (self.root / _STAGING).mkdir(parents=True, exist_ok=True)
            with self._staged(".json") as staged:
                staged.write_text(json.dumps({"schema_version": SCHEMA_VERSION}) + "\n")
                _link(staged, marker)
        except OSError as error:
            raise StoreUnusable(f"cannot make a store at {self.root}: {error}") from error

    def has(self, unit: Unit) -> bool:
        """Whether the unit's file is committed."""
        return (self.root / unit.path).exists()

    def commit(
        self, unit: Unit, rows: Sequence[object] | pa.Table, seconds: float = 0.0
    ) -> Receipt:
        """Write a unit's rows as its file, whole and once; if it is there already, keep that.

        Args:
            unit: names the file.
            rows: records of the unit's table in order, or an Arrow table of its schema.
            seconds: what the work took, for the receipt.

        Raises:
            ValueError: a name is unusable, or a row does not fit the table.
            OSError: the disk is full or the folder cannot be written; nothing appears.
        """
        spec = _spec_of(unit)
        table: Any = rows if isinstance(rows, pa.Table) else to_table(spec, rows)
        if not table.schema.equals(spec.schema):
            raise ValueError(f"{unit.path}: expected the schema of {spec.name}, got {table.schema}")
        target = self.root / unit.path
        target.parent.mkdir(parents=True, exist_ok=True)
        self._sweep_staging()
        with self._staged(".parquet") as staged:
            pq.write_table(
                table.replace_schema_metadata(spec.schema.metadata), staged, compression="zstd"
            )
            _flush(staged)
            was_there = not _link(staged, target)
        if was_there:
            return self.receipt(unit)
        return _count(unit, table, seconds=seconds)

    def receipt(self, unit: Unit) -> Receipt:
        """The receipt of a unit that is committed already.

        Raises:
            FileNotFoundError: it is not.
        """
        spec = _spec_of(unit)
        wanted = [c for c in (*_TOKEN_COLUMNS, "status") if c in spec.schema.names]
        table = pq.ParquetFile(self.root / unit.path).read(columns=wanted)
        return _count(unit, table, was_there=True)

    def read(self, path: str, rows: tuple[int, int] | None = None) -> list:
        """The records of a committed file, or of a half-open range of its rows.

        Args:
            path: relative to the root; its first folder names the table.
            rows: for example (100, 200).
        """
        spec = TABLES[path.split("/", 1)[0]]
        table = pq.ParquetFile(self.root / path).read()
        if rows is not None:
            table = table.slice(rows[0], rows[1] - rows[0])
        return from_table(spec, table)

    def num_rows(self, path: str) -> int:
        """How many rows a committed file has."""
        return pq.read_metadata(self.root / path).num_rows

    def files(self, table: str, *, run_id: str, stage: str, prefix: str = "") -> list[str]:
        """Committed files of a stage of a run, by name, relative to the root."""
        folder = self.root / table / f"run_id={run_id}" / f"stage={stage}"
        return sorted(str(p.relative_to(self.root)) for p in folder.glob(f"{prefix}*.parquet"))

    def checkpoints(self) -> Path:
        """The folder that holds a folder per trained model."""
        return self.root / "checkpoints"

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for half-made files on the store's disk, gone afterwards."""
        folder = self.root / _STAGING / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            for path in sorted(folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
            folder.rmdir()

    @contextlib.contextmanager
    def _staged(self, suffix: str) -> Iterator[Path]:
        path = self.root / _STAGING / f"{uuid.uuid4().hex}{suffix}"
        path.parent.mkdir(exist_ok=True)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _sweep_staging(self) -> None:
        too_old = time.time() - _STAGING_LIFE_S
        for path in (self.root / _STAGING).glob("*.*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < too_old:
                    path.unlink()


def check_name(kind: str, name: str) -> str:
    """The name, if it can be a folder or file of a store.

    Raises:
        ValueError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{kind} {name!r}: expected 1 to 100 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit"
        )
    return name


def _spec_of(unit: Unit) -> TableSpec:
    for kind, name in (("run id", unit.run_id), ("stage", unit.stage), ("unit", unit.name)):
        check_name(kind, name)
    return TABLES[unit.table]


def _schema_version(marker: Path) -> int:
    try:
        return int(json.loads(marker.read_text())["schema_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreUnusable(f"{marker}: expected a schema version, got {error!r}") from error


def _link(staged: Path, target: Path) -> bool:
    """Whether the staged file took the target's name; False if the name was taken before."""
    try:
        os.link(staged, target)
    except FileExistsError:
        return False
    _flush(target.parent)
    return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _count(
    unit: Unit, table: pa.Table, *, seconds: float = 0.0, was_there: bool = False
) -> Receipt:
    sums = {
        name: sum(table.column(name).to_pylist())
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
