"""Records and Arrow schemas are the same thing said twice; these tests hold them together."""

from dataclasses import MISSING, fields
from typing import get_args, get_type_hints

import pytest

from schemas.rows import SCHEMA_VERSION, TABLES, TRAJECTORIES, Step, from_table, to_table


@pytest.mark.parametrize("spec", TABLES.values(), ids=lambda spec: spec.name)
def test_record_fields_and_schema_columns_agree(spec):
    hints = get_type_hints(spec.record)
    assert [f.name for f in fields(spec.record)] == spec.schema.names
    for column in spec.schema:
        may_be_none = type(None) in get_args(hints[column.name])
        assert column.nullable == may_be_none, column.name


def test_every_table_names_its_schema_version():
    for spec in TABLES.values():
        assert spec.schema.metadata[b"stepmill_schema_version"] == str(SCHEMA_VERSION).encode()


def test_trajectories_come_back_as_they_went_in(make_trajectory):
    rows = [make_trajectory("a"), make_trajectory("b", steps=(), correct=None, error="too long")]
    assert from_table(TRAJECTORIES, to_table(TRAJECTORIES, rows)) == rows


def test_a_row_of_another_kind_is_named(make_trajectory, make_problem):
    with pytest.raises(ValueError, match="trajectories, row 1: expected a Trajectory, got Problem"):
        to_table(TRAJECTORIES, [make_trajectory(), make_problem()])


def test_a_null_where_none_may_be_is_named(make_trajectory):
    with pytest.raises(ValueError, match="row 1: policy must not be null"):
        to_table(TRAJECTORIES, [make_trajectory("a"), make_trajectory("b", policy=None)])


def test_a_value_of_the_wrong_type_names_its_column(make_trajectory):
    with pytest.raises(ValueError, match="column seed"):
        to_table(TRAJECTORIES, [make_trajectory(seed="many")])


def test_summed_logprob_needs_every_step(make_trajectory):
    row = make_trajectory()
    assert row.logprob == pytest.approx(-0.75)
    assert row.text == "2 + 2 = 4\nAnswer: 4"
    assert make_trajectory(steps=()).logprob is None


def test_optional_columns_have_a_default_or_are_asked_for():
    for spec in TABLES.values():
        for field in fields(spec.record):
            if field.default is not MISSING and field.default is None:
                assert spec.schema.field(field.name).nullable


def test_steps_have_the_fields_of_their_column_in_its_order():
    column = TRAJECTORIES.schema.field("steps").type.value_type
    assert [f.name for f in fields(Step)] == [f.name for f in column]
