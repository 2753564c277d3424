import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.graders import (
    ExactGraderConfig,
    GraderConfig,
    MathGraderConfig,
    PlantedGraderConfig,
)

ADAPTER: TypeAdapter[GraderConfig] = TypeAdapter(GraderConfig)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"type": "math", "timeout_s": 2}, MathGraderConfig(timeout_s=2)),
        ({"type": "exact", "ignore_case": True}, ExactGraderConfig(ignore_case=True)),
        ({"type": "planted"}, PlantedGraderConfig()),
    ],
)
def test_type_says_which_grader_is_meant(values, expected):
    assert ADAPTER.validate_python(values) == expected


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"type": "math", "timeout": 2}, "timeout"),
        ({"type": "math", "timeout_s": 0}, "timeout_s"),
        ({"type": "math", "percent": "stripped"}, "percent"),
        ({"type": "maths"}, "type"),
    ],
)
def test_bad_values_are_refused_by_field_name(values, field):
    with pytest.raises(ValidationError, match=field):
        ADAPTER.validate_python(values)
