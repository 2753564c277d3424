"""The tables of the store: their columns, and that a table is one module."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import schemas
import storage
from schemas.rows import SCHEMA_VERSION, TABLES

_VERSION_3 = (Path(__file__).parents[1] / "fixtures" / "schemas-v3.txt").read_text().splitlines()
"""Every column of version 3, as Arrow describes it."""


def _columns(spec) -> list[str]:
    return [f"{spec.name}.{str(f).removeprefix('pyarrow.Field<')[:-1]}" for f in spec.schema]


def test_columns_of_version_3_are_what_they_were():
    present = [column for spec in TABLES.values() for column in _columns(spec)]
    assert len(_VERSION_3) == 119
    assert set(_VERSION_3) <= set(present)


@pytest.mark.parametrize("spec", TABLES.values(), ids=lambda spec: spec.name)
def test_columns_keep_the_order_of_version_3(spec):
    old = [column for column in _VERSION_3 if column.startswith(f"{spec.name}.")]
    assert [column for column in _columns(spec) if column in old] == old


@pytest.mark.parametrize("spec", TABLES.values(), ids=lambda spec: spec.name)
def test_later_columns_are_null_in_older_files(spec):
    old = {column for column in _VERSION_3 if column.startswith(f"{spec.name}.")}
    added = [
        field for field, text in zip(spec.schema, _columns(spec), strict=True) if text not in old
    ]
    defaults = {name: f.default for name, f in spec.record.__dataclass_fields__.items()}
    assert all(field.nullable and defaults[field.name] is None for field in added if old)


def test_every_table_names_its_schema_version():
    for spec in TABLES.values():
        assert spec.schema.metadata[b"stepmill_schema_version"] == str(SCHEMA_VERSION).encode()


def test_summed_logprob_needs_every_step(make_trajectory):
    row = make_trajectory()
    assert row.logprob == pytest.approx(-0.75)
    assert row.text == "2 + 2 = 4\nAnswer: 4"
    assert make_trajectory(steps=()).logprob is None


_REVIEWS = '''
from dataclasses import dataclass
from schemas.tables import Int32, TableSpec

@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One review."""
    trajectory_id: str
    first_error_step: Int32 | None

REVIEWS = TableSpec("reviews", Review)
'''
_USE = """
import sys
from schemas.rows.reviews import REVIEWS, Review
from schemas.units import Unit
from storage import Store, connect
store = Store(sys.argv[1])
unit = Unit(run_id="r", stage="reviews", name="set.00000", table="reviews")
rows = [Review(trajectory_id="a", first_error_step=2)]
store.commit(unit, rows)
assert store.read(unit.path) == rows
columns = "run_id, stage, trajectory_id, first_error_step"
print(connect(store.url).execute(f"select {columns} from reviews").fetchall())
"""


def test_a_table_is_one_module(tmp_path):
    for package in (schemas, storage):
        source = Path(package.__path__[0])
        shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("*.pyc"))
    (tmp_path / "schemas" / "rows" / "reviews.py").write_text(_REVIEWS)
    used = subprocess.run(
        [sys.executable, "-c", _USE, str(tmp_path / "store")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (used.stderr, used.stdout) == ("", "[('r', 'reviews', 'a', 2)]\n")
