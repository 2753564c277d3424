"""The viewer's pages by name: a module each, imported when it is asked for, and a template."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from flows.view.site import View


@dataclass(frozen=True)
class Page:
    """A page: its name, which is also its path and that of its template."""

    name: str
    module: str = ""
    """The module that fills the template, if it has another name."""
    is_first: bool = False
    """Whether it can be shown while the store is being opened."""

    def build(self, view: View) -> Mapping[str, Any]:
        """What fills the template."""
        return self.load().build(view)

    def load(self) -> ModuleType:
        """The module that fills the template."""
        return import_module(f"{__name__}.{self.module or self.name}")

    @property
    def template(self) -> str:
        """The file in `templates/`."""
        return f"{self.name}.html"


PAGES = {
    page.name: page
    for page in (
        Page("runs", is_first=True),
        Page("run"),
        Page("results"),
        Page("compare"),
        Page("problems"),
        Page("problem"),
        Page("solutions"),
        Page("solution"),
        Page("tree"),
        Page("models"),
        Page("model"),
        Page("training-set", "training_set"),
        Page("rounds"),
        Page("annotations"),
        Page("sql", "statement"),
    )
}
