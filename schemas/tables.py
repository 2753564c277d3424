"""Tables of the store: each has a record, whose annotations define the columns.

A record is a frozen dataclass. Its fields are the columns, in order, and their annotations give the
Arrow types:

| annotation | column |
|---|---|
| `str`, or a `Literal` of strings | string |
| `bool`, `int`, `float` | bool, int64, double |
| `Int32` | int32 |
| `datetime` | timestamp in microseconds, UTC |
| another record | struct |
| `tuple[X, ...]` | list of X |
| X or None | X, and the column may hold nulls |

A column that is added later must allow nulls and have the default None, as it is null in older
files. `run_id` and `stage` are not columns of the files but the names of their folders; every view
has them as columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from itertools import accumulate, chain
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

SCHEMA_VERSION = 4
"""Written into every store and file; readers reject a later version. Version 2 added the tables
`verdicts` and `failures`, and columns of `metrics` and `runs`; version 3 the tables `decisions` and
`training_sets`, and `budget`, `verifier` and `reason` of `trajectories`; version 4
`problems.check`, `pick`, `arm` and `against` of `metrics`, and `role`, `reward`, `group_id`,
`training_step`, `token_ids`, `vocabulary`, `changed_boundaries`, `thinking_tokens`, `critique_id`,
`error_step`, `error_note`, `check_result`, `retrieval_ids` and `num_retrievals` of `trajectories`,
`check_result` and `members` of `verdicts`, and the tables `critiques`, `documents`, `judgements`,
`relations`, `token_rewards` and `planted_samples`."""

VERSION_KEY = b"stepmill_schema_version"
"""The key of the version in the metadata of a file."""

Int32 = Annotated[int, pa.int32()]
"""An integer of 32 bits; a plain `int` has 64."""

_SCALARS: dict[Any, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    datetime: pa.timestamp("us", tz="UTC"),
}
_EXPECTED = (
    "str, bool, int, Int32, float, datetime, a Literal of strings, a frozen dataclass, or "
    "tuple[X, ...] of one of them; and `| None` for nulls, but not in a tuple"
)

_MISFITS = (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, AttributeError)
"""The errors that building an array raises for a value of another type."""


_PARAMETERS = "__dataclass_params__"


def now() -> datetime:
    """The time a row was made, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, eq=False)
class TableSpec:
    """A table of the store: its name, the record of a row, the Arrow schema of a file."""

    name: str
    record: type
    columns: "tuple[_Column, ...]" = field(init=False, repr=False)
    schema: pa.Schema = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Derive the schema.

        Raises:
            TypeError: the record is not a frozen dataclass, or an annotation is not a column.
        """
        columns = _columns(self.record, f"table {self.name}")
        metadata = {VERSION_KEY: str(SCHEMA_VERSION).encode()}
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "schema", pa.schema([c.field for c in columns], metadata=metadata))


def to_table(spec: TableSpec, records: Sequence[object]) -> pa.Table:
    """Records of one kind as an Arrow table of their schema, in order.

    Raises:
        ValueError: a record is not the table's, or a value does not fit its column.
    """
    for index, record in enumerate(records):
        if not isinstance(record, spec.record):
            raise ValueError(
                f"table {spec.name}, row {index}: expected a {spec.record.__name__}, "
                f"got {type(record).__name__}"
            )
    arrays = []
    for column in spec.columns:
        try:
            arrays.append(column.to_array(records))
        except (_NullFound, *_MISFITS) as error:
            row, reason = column.misfit(records) or (0, str(error))
            raise ValueError(f"table {spec.name}, row {row}: {reason}") from error
    return pa.Table.from_arrays(arrays, schema=spec.schema)


def from_table(spec: TableSpec, table: pa.Table) -> list:
    """The records of an Arrow table (or of some of its rows), in order.

    A column that an older version did not write gets the record's default.
    """
    names = [name for name in spec.schema.names if name in table.column_names]
    return list(map(_maker(spec.record, spec.columns), table.select(names).to_pylist()))


class _NullFound(Exception):
    """A null in a column that allows none; the text names it."""


class _Kind(Protocol):
    """How the values of an annotation are stored."""

    type: pa.DataType

    @property
    def from_arrow(self) -> Callable[[Any], Any] | None:
        """Converts Arrow's Python value into the record's; None if they are the same."""
        ...

    def to_array(self, values: list[Any]) -> pa.Array:
        """The values as an Arrow array of `type`."""
        ...


class _Scalar:
    """A value that is the same in Arrow and in Python."""

    from_arrow = None

    def __init__(self, kind: pa.DataType) -> None:
        self.type = kind

    def to_array(self, values: list[Any]) -> pa.Array:
        return pa.array(values, type=self.type)


class _Struct:
    """A record inside a record."""

    def __init__(self, record: type, columns: "tuple[_Column, ...]") -> None:
        self._columns = columns
        self._fields = [column.field for column in columns]
        self._is_optional = False
        self.type = pa.struct(self._fields)
        self.from_arrow = _maker(record, columns)

    def allow_null(self) -> None:
        """Let its fields hold nulls in files: Parquet takes no null record without them."""
        self._is_optional = True
        self._fields = [part.with_nullable(True) for part in self._fields]
        self.type = pa.struct(self._fields)

    def to_array(self, values: list[Any]) -> pa.Array:
        if self._is_optional and None in values:
            present = [value for value in values if value is not None]
            places = iter(range(len(present)))
            indices = [None if value is None else next(places) for value in values]
            return self.to_array(present).take(pa.array(indices, type=pa.int64()))
        # Field by field: a dict per record would take longer than everything else done with it.
        arrays = [column.to_array(values) for column in self._columns]
        return pa.StructArray.from_arrays(arrays, fields=self._fields)


class _List:
    """A tuple of any length."""

    def __init__(self, item: _Kind) -> None:
        self._item = item
        self.type = pa.list_(item.type)

    def to_array(self, values: list[Any]) -> pa.Array:
        is_null = [value is None for value in values]
        lists = [() if value is None else value for value in values] if any(is_null) else values
        ends = pa.array(accumulate(map(len, lists), initial=0), type=pa.int32())
        items = self._item.to_array(list(chain.from_iterable(lists)))
        if items.null_count:
            raise _NullFound("an item")
        mask = pa.array(is_null) if any(is_null) else None
        return pa.ListArray.from_arrays(ends, items, type=self.type, mask=mask)

    def from_arrow(self, value: list[Any]) -> tuple[Any, ...]:
        make = self._item.from_arrow
        return tuple(value) if make is None else tuple(map(make, value))


@dataclass(frozen=True, slots=True)
class _Column:
    """A field of a record."""

    field: pa.Field
    kind: _Kind

    def to_array(self, records: Sequence[object]) -> pa.Array:
        """The column of some records.

        Raises:
            pa.ArrowException: a value is of another type.
            _NullFound: a value, or a value inside it, is None and must not be.
        """
        name = self.field.name
        try:
            array = self.kind.to_array(list(map(attrgetter(name), records)))
        except _NullFound as inside:
            raise _NullFound(f"{name}.{inside}") from None
        if array.null_count and not self.field.nullable:
            raise _NullFound(name)
        return array

    def misfit(self, records: Sequence[object]) -> tuple[int, str] | None:
        """The first record whose value does not fit, and the reason."""
        for index, record in enumerate(records):
            try:
                self.to_array([record])
            except _NullFound as place:
                return index, f"{place} must not be null"
            except _MISFITS as error:
                return index, f"column {self.field.name}: {error}"
        return None


def _maker(record: type, columns: "Sequence[_Column]") -> Callable[[dict[str, Any]], Any]:
    """A function from Arrow's dict for a record to the record."""
    nested = [(c.field.name, c.kind.from_arrow) for c in columns if c.kind.from_arrow is not None]

    def make(row: dict[str, Any]) -> Any:
        for name, from_arrow in nested:
            if row.get(name) is not None:
                row[name] = from_arrow(row[name])
        return record(**row)

    return make if nested else lambda row: record(**row)


def _columns(record: Any, place: str) -> tuple[_Column, ...]:
    if not (is_dataclass(record) and getattr(record, _PARAMETERS).frozen):
        raise TypeError(f"{place}: expected a frozen dataclass, got {record!r}")
    hints = get_type_hints(record, include_extras=True)
    return tuple(_column(each.name, hints[each.name], place) for each in fields(record))


def _column(name: str, annotation: Any, place: str) -> _Column:
    place = f"{place}, {name}"
    options = (
        get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    )
    present = [option for option in options if option is not NoneType]
    if len(present) != 1:
        raise _not_a_column(annotation, place)
    kind, nullable = _kind(present[0], place), len(options) > 1
    if nullable and isinstance(kind, _Struct):
        kind.allow_null()
    return _Column(pa.field(name, kind.type, nullable=nullable), kind)


def _kind(annotation: Any, place: str) -> _Kind:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated and isinstance(arguments[1], pa.DataType):
        return _Scalar(arguments[1])
    if origin is Literal and all(isinstance(value, str) for value in arguments):
        return _Scalar(pa.string())
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _List(_kind(arguments[0], place))
    if is_dataclass(annotation) and isinstance(annotation, type):
        return _Struct(annotation, _columns(annotation, place))
    if annotation in _SCALARS:
        return _Scalar(_SCALARS[annotation])
    raise _not_a_column(annotation, place)


def _not_a_column(annotation: Any, place: str) -> TypeError:
    return TypeError(f"{place}: expected {_EXPECTED}; got {annotation!r}")
