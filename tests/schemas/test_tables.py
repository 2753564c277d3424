"""Records to Arrow and back, and which annotations are columns."""

from dataclasses import dataclass, make_dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa
import pytest

from schemas.rows import TRAJECTORIES, Step
from schemas.tables import Int32, TableSpec, from_table, to_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    sizes: tuple[Int32, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    text: str
    note: str | None = None
    number: Int32
    large: int | None = None
    share: float
    is_good: bool
    kind: Literal["a", "b"]
    made_at: datetime
    main: Part
    parts: tuple[Part, ...]
    scores: tuple[float, ...] | None = None


WHOLES = TableSpec("wholes", Whole)


def make_whole(**fields: Any) -> Whole:
    values = {
        "text": "x", "number": 1, "share": 0.5, "is_good": True, "kind": "a", "parts": (),
        "made_at": datetime(2026, 1, 2, tzinfo=UTC), "main": Part(name="m"),
    }  # fmt: skip
    return Whole(**{**values, **fields})


def test_annotations_are_arrow_types():
    part = pa.struct(
        [
            pa.field("name", pa.string(), nullable=False),
            pa.field("sizes", pa.list_(pa.int32()), nullable=False),
        ]
    )
    expected = {
        "text": (pa.string(), False), "note": (pa.string(), True), "number": (pa.int32(), False),
        "large": (pa.int64(), True), "share": (pa.float64(), False), "is_good": (pa.bool_(), False),
        "kind": (pa.string(), False), "made_at": (pa.timestamp("us", tz="UTC"), False),
        "main": (part, False), "parts": (pa.list_(part), False),
        "scores": (pa.list_(pa.float64()), True),
    }  # fmt: skip
    assert {f.name: (f.type, f.nullable) for f in WHOLES.schema} == expected
    assert WHOLES.schema.names == list(expected)


def test_records_come_back_as_they_went_in(make_trajectory):
    rows = [make_trajectory("a"), make_trajectory("b", steps=(), correct=None, error="too long")]
    assert from_table(TRAJECTORIES, to_table(TRAJECTORIES, rows)) == rows
    nested = [
        make_whole(),
        make_whole(note="n", large=2**40, scores=(), main=Part(name="m", sizes=(1, 2))),
        make_whole(parts=(Part(name="p"), Part(name="q", sizes=(3,))), scores=(0.25, 1.0)),
    ]
    assert from_table(WHOLES, to_table(WHOLES, nested)) == nested
    assert from_table(WHOLES, to_table(WHOLES, nested).slice(1, 2)) == nested[1:]
    assert from_table(WHOLES, to_table(WHOLES, [])) == []


def test_a_column_that_is_absent_takes_the_default():
    table = to_table(WHOLES, [make_whole(note="n", scores=(1.0,))])
    assert from_table(WHOLES, table.drop_columns(["note", "scores"])) == [make_whole()]


def test_a_row_of_another_kind_is_named(make_trajectory, make_problem):
    with pytest.raises(ValueError, match="trajectories, row 1: expected a Trajectory, got Problem"):
        to_table(TRAJECTORIES, [make_trajectory(), make_problem()])


def test_a_null_where_none_may_be_is_named(make_trajectory):
    with pytest.raises(ValueError, match="row 1: policy must not be null"):
        to_table(TRAJECTORIES, [make_trajectory("a"), make_trajectory("b", policy=None)])


def test_a_null_inside_a_record_is_named(make_trajectory):
    nameless: Any = Step(text=None, num_tokens=1)  # pyright: ignore[reportArgumentType]
    rows = [
        make_trajectory("a"),
        make_trajectory("b", steps=(Step(text="x", num_tokens=1), nameless)),
    ]
    with pytest.raises(ValueError, match=r"row 1: steps\.text must not be null"):
        to_table(TRAJECTORIES, rows)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"number": "many"}, "row 1: column number: "),
        ({"number": 2**40}, "row 1: column number: "),
        ({"text": 3}, "row 1: column text: "),
        ({"parts": (None,)}, "row 1: column parts: "),
        ({"scores": ("high",)}, "row 1: column scores: "),
        ({"scores": (1.0, None)}, "row 1: scores.an item must not be null"),
        ({"main": Part(name="m", sizes=(None,))}, "row 1: main.sizes.an item must not be null"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_a_value_of_the_wrong_type_names_its_row_and_column(fields, message):
    with pytest.raises(ValueError, match=message):
        to_table(WHOLES, [make_whole(), make_whole(**fields)])


@pytest.mark.parametrize(
    "annotation",
    [
        dict[str, int],
        list[str],
        tuple[str, int],
        str | int,
        str | int | None,
        Literal["a", 1],
        tuple[str | None, ...],
        bytes,
        Any,
    ],
    ids=str,
)
def test_other_annotations_are_refused(annotation):
    odd = make_dataclass("Odd", [("name", str), ("value", annotation)], frozen=True)
    with pytest.raises(TypeError, match="table odd, value: expected str, bool, int, Int32"):
        TableSpec("odd", odd)


def test_a_record_is_a_frozen_dataclass():
    @dataclass
    class Changing:
        name: str

    for record in (Changing, str):
        with pytest.raises(TypeError, match="table odd: expected a frozen dataclass, got"):
            TableSpec("odd", record)
