"""Prefect's flows, without the schemas that Prefect makes of each as it is defined.

Prefect describes a flow's parameters in JSON schema when the flow is defined. For a config with
many nested ones that takes a tenth of a second, and no run reads it. Deployments, and with them the
forms of the UI, make their own from the same function, and so does whoever asks for `parameters`.
"""

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.utilities.callables import ParameterSchema, parameter_schema

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


class LateFlow(Flow[_Given, _Made]):
    """A flow whose schema is made when it is asked for."""

    def __init__(self, fn: Callable[_Given, _Made], *arguments: Any, **options: Any) -> None:
        """As Prefect's, which meanwhile sees a function without types."""
        signature = inspect.signature(fn)
        untyped = [each.replace(annotation=Any) for each in signature.parameters.values()]
        fn.__signature__ = signature.replace(parameters=untyped)  # pyright: ignore[reportFunctionMemberAccess]
        try:
            super().__init__(fn, *arguments, **options)
        finally:
            del fn.__signature__  # pyright: ignore[reportFunctionMemberAccess]
        self.__dict__.pop("__signature__", None)

    @property
    def parameters(self) -> ParameterSchema:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The parameters in JSON schema."""
        return parameter_schema(self.fn)

    @parameters.setter
    def parameters(self, untyped: ParameterSchema) -> None:
        """Prefect's own, of the function without types, which is dropped."""


def flow(
    *, name: str, **options: Any
) -> Callable[[Callable[_Given, _Made]], LateFlow[_Given, _Made]]:
    """Make a function a flow of this name.

    Args:
        name: of the flow.
        options: others of `prefect.flow`.
    """

    def wrap(fn: Callable[_Given, _Made]) -> LateFlow[_Given, _Made]:
        return LateFlow(fn, name=name, **options)

    return wrap
