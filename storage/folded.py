"""Folded files: one Parquet file with the rows of many units, and the place of each unit in it.

The metadata of every file lists its units under `stepmill_units`, in order, with their rows and
seconds. A unit's own file holds one unit; a folded one, named `folded-<32 hex digits>`, many.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StoreUnreachable, StoreUnusable
from storage.checksums import open_checked
from storage.roots import Root

UNITS_KEY = b"stepmill_units"
_MAX_HELD = 2
_FOLDED = re.compile(r"folded-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRows:
    """The number of a unit's rows in a file, and the seconds that its work took."""

    name: str
    rows: int
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of a unit's rows: a file, the first row in it, and the number of rows."""

    path: str
    start: int
    num_rows: int
    seconds: float | None


def is_folded(path: str) -> bool:
    """Whether a file has the name of a folded file."""
    return _FOLDED.fullmatch(PurePosixPath(path).stem) is not None


def units_metadata(units: list[UnitRows]) -> bytes:
    """The units in a file, encoded for its metadata."""
    return json.dumps([asdict(unit) for unit in units]).encode()


def read_units(path: str, metadata: pq.FileMetaData) -> list[UnitRows]:
    """The units that a file holds; a file of an older version holds the unit of its name."""
    text = (metadata.metadata or {}).get(UNITS_KEY)
    if text is None:
        name = PurePosixPath(path).stem
        return [UnitRows(name=name, rows=metadata.num_rows, seconds=None)]
    return [UnitRows(**fields) for fields in json.loads(text)]


class FoldedIndex:
    """The units in folded files. Files never change, so each footer is read once per process.

    Units are usually read in order, so the row groups read last are kept: each is decoded once for
    all units in it.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._known: dict[str, dict[str, Place]] = {}
        self._group_rows: dict[str, list[int]] = {}
        self._held: dict[tuple[str, int], pa.Table] = {}

    def places(self, paths: list[str]) -> dict[str, Place]:
        """The places of all units in the folded files among these, by the path of the unit."""
        found: dict[str, Place] = {}
        for path in filter(is_folded, paths):
            if path not in self._known:
                with self._root.open(path) as stream, readable(path):
                    metadata = open_checked(stream).metadata
                    groups = range(metadata.num_row_groups)
                    self._group_rows[path] = [metadata.row_group(g).num_rows for g in groups]
                    self._known[path] = _places_in(path, metadata)
            found |= self._known[path]
        return found

    def read(self, place: Place) -> pa.Table:
        """The rows of a unit; row groups without any of them are not read."""
        end, first, pieces = place.start + place.num_rows, 0, []
        for group, num_rows in enumerate(self._group_rows[place.path]):
            if first < end and place.start < first + num_rows:
                start = max(place.start - first, 0)
                length = min(end - first, num_rows) - start
                pieces.append(self._group(place.path, group).slice(start, length))
            first += num_rows
        return pa.concat_tables(pieces) if pieces else self._group(place.path, 0).slice(0, 0)

    def _group(self, path: str, group: int) -> pa.Table:
        if (table := self._held.get((path, group))) is not None:
            return table
        with self._root.open(path) as stream:
            file = open_checked(stream)
            has_groups = file.metadata.num_row_groups > 0
            table = file.read_row_group(group) if has_groups else file.read()
        # The one before it too: a unit may have rows in both.
        last = list(self._held.items())[-(_MAX_HELD - 1) :]
        self._held = dict([*last, ((path, group), table)])
        return table


@contextlib.contextmanager
def readable(path: str) -> Iterator[None]:
    """Raise an error that names the file if Arrow cannot read it."""
    try:
        yield
    except (pa.ArrowException, ValueError, OSError) as error:
        if getattr(error, "errno", None) is not None or isinstance(error, StoreUnreachable):
            raise  # the disk or the network, not the file
        raise StoreUnusable(
            f"{path} is not a readable Parquet file ({one_line(error)}): `stepmill doctor "
            "--repair` moves it away, and its unit is made again"
        ) from error


def one_line(error: Exception) -> str:
    """The message of an error on one line; Arrow's contain line breaks."""
    return " ".join(str(error).split())


def _places_in(path: str, metadata: pq.FileMetaData) -> dict[str, Place]:
    folder, places, start = PurePosixPath(path).parent, {}, 0
    for unit in read_units(path, metadata):
        places[str(folder / f"{unit.name}.parquet")] = Place(
            path=path, start=start, num_rows=unit.rows, seconds=unit.seconds
        )
        start += unit.rows
    return places
