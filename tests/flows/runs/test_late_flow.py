from typing import Any

import pytest
from prefect import Flow
from prefect.utilities.callables import parameter_schema

from flows.runs.late_flow import flow
from schemas.base import FrozenConfig

described: list[str] = []


class Job(FrozenConfig):
    """A config that says when its schema is made."""

    size: int = 3

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        described.append(cls.__name__)
        return handler(core_schema)


def work(job: Job, root: str, run_id: str | None = None) -> str:
    """Work."""
    return f"{root}: {job.size}, {run_id}"


def test_a_schema_is_made_when_it_is_asked_for_and_is_that_of_prefect():
    described.clear()
    late = flow(name="late")(work)
    assert described == []
    assert late.parameters == parameter_schema(late) == Flow(work, name="late").parameters
    assert described
    assert late.parameters.properties["job"]["title"] == "job"
    assert late.parameters.required == ["job", "root"]


def test_parameters_are_checked_by_the_functions_own_types():
    late = flow(name="late")(work)
    given = late.validate_parameters({"job": {"size": 5}, "root": "store", "run_id": None})
    assert given == {"job": Job(size=5), "root": "store", "run_id": None}
    with pytest.raises(Exception, match="size"):
        late.validate_parameters({"job": {"size": "many"}, "root": "store"})


def test_options_and_a_copy_of_a_flow_are_prefects():
    late = flow(name="late", retries=2)(work)
    assert (late.name, late.retries, late.description) == ("late", 2, "Work.")
    assert late.fn(Job(), "store") == "store: 3, None"
    assert late.with_options(name="other").parameters == late.parameters
