"""Configs as text: types with their bounds, defaults, meanings, nested and chosen configs."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.base import FrozenConfig, Was
from schemas.fields import describe_config, variants_of


class Near(FrozenConfig):
    """What is near.

    Not part of the summary.
    """

    type: Literal["near"] = "near"
    distance: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Between the two."""


class Far(FrozenConfig):
    """What is far."""

    type: Literal["far"] = "far"


Place = Annotated[Near | Far, Field(discriminator="type")]


class Journey(FrozenConfig):
    """A journey."""

    kind: ClassVar[str] = "not a field"
    start: str
    """Where it
    begins."""
    length: Annotated[int, Field(ge=1), Was("size")] | None = None
    """In days."""
    goal: Place = Near(distance=0.25)
    """Where it ends."""
    stops: Annotated[tuple[Place, ...], Field(min_length=1)] = (Far(),)
    """On the way."""


def test_fields_have_type_default_and_meaning():
    text = describe_config(Journey)
    assert (text.config, text.type, text.summary) == ("Journey", None, "A journey.")
    start, length, goal, stops = text.fields
    assert (start.type, start.is_required, start.default) == ("str", True, None)
    assert start.meaning == "Where it begins."
    assert (length.type, length.is_required, length.default) == ("int >= 1 | null", False, None)
    assert (goal.type, goal.default) == ("near | far", {"type": "near", "distance": 0.25})
    assert (stops.type, stops.default) == ("list of near | far of at least 1", [{"type": "far"}])


def test_a_nested_config_has_the_defaults_of_its_field():
    goal = describe_config(Journey).fields[2]
    near, far = goal.configs
    assert (near.type, near.summary) == ("near", "What is near.")
    assert [(f.name, f.type, f.default) for f in near.fields][1] == (
        "distance",
        "float > 0 <= 1",
        0.25,
    )
    assert [f.name for f in far.fields] == ["type"]
    (near_stop, _) = describe_config(Journey).fields[3].configs
    assert near_stop.fields[1].default == 0.5


def test_variants_are_named_by_their_type():
    assert variants_of(Place) == {"near": Near, "far": Far}
