import pytest
from pydantic import ValidationError

from schemas.evaluation import EvaluationConfig


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("budgets", (4, 1), "strictly increasing"),
        ("budgets", (), "at least 1"),
        ("budgets", (0,), "greater than or equal to 1"),
        ("reductions", ("min", "min"), "distinct"),
        ("reductions", ("max",), "'min', 'prod', 'last' or 'mean'"),
        ("likelihood_weights", (0.0,), "greater than 0"),
        ("bins", ("colour",), "'level'"),
        ("budget", (1,), "Extra inputs"),
    ],
)
def test_bad_fields_are_refused_by_name(field, value, message):
    with pytest.raises(ValidationError, match=message) as caught:
        EvaluationConfig.model_validate({field: value})
    assert caught.value.errors()[0]["loc"][0] == field
