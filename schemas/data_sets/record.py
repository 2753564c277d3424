"""What is known about a public data set: where it is, what its columns hold, how it is graded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

GoldForm = Literal["plain", "solution", "list", "letter", "index", "option", "check"]
"""What the gold column holds. `plain`: the answer. `solution`: a worked solution that marks its
answer. `list`: one or several answers. `letter`: that of an option. `index`: that of an option,
from 0. `option`: the text of the right option, while `options` are the wrong ones. `check`: there
is none, since tests decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A public set of problems.

    A column may be followed by a path into its value: `reward_model.ground_truth`, `0.value`.
    """

    name: str
    summary: str
    """What it is, in one sentence."""
    dataset: str
    """Its id on the Hugging Face hub, also the `source` of its problems."""
    configs: tuple[str, ...] = ()
    """Its configurations that are read, one after another; empty if it has only one."""
    splits: Mapping[str, str]
    """From each split to the hub's name of it, the usual one first. They differ where a set to
    measure on is published as `train`."""
    num_rows: Mapping[str, int]
    """Rows of each split."""
    question: tuple[str, ...]
    """Columns of the question; the texts are joined by `joiner`, empty ones left out."""
    joiner: str = "\n\n"
    gold: str | None = None
    """Column of the gold answer; None if tests decide."""
    gold_form: GoldForm = "plain"
    options: tuple[str, ...] = ()
    """Columns of the options of a choice, or one column with a list of them."""
    solution: str | None = None
    """Column of a worked solution."""
    level: str | None = None
    subject: str | None = None
    check: tuple[str, ...] = ()
    """Columns of what programs are tested by; `check` of a problem is a JSON object of them."""
    package: tuple[str, str] | None = None
    """An installed package that ships the rows of the set's only split, and the file in it; read
    instead of the hub unless a copy or a revision is named."""
    without_answer: tuple[str, ...] = ()
    """Texts in the gold column that stand for no answer; such rows are left out."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """Columns and the value that a row must have there, or it is left out."""
    license: str
    """As the set's page states it."""
    is_gated: bool = False
    """Whether the hub asks for an account that has accepted the set's terms."""
    prompt: str
    """The prompt preset that goes with it."""
    read_in: str
    """Where columns, splits and sizes were read."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the hub set that are needed, each once."""
        named = (*self.question, self.gold, *self.options, self.solution, self.level)
        paths = (*named, self.subject, *self.check, *self.keep)
        return tuple(dict.fromkeys(path.split(".")[0] for path in paths if path is not None))

    @property
    def grader(self) -> str:
        """The kind of grader that judges its solutions."""
        return "program" if self.gold_form == "check" else "math"

    @property
    def facts(self) -> dict[str, str]:
        """Everything about it in words, for help and docs."""
        splits = [
            f"{name} ({self.num_rows[name]:,}{'' if name == hub else f', {hub} on the hub'})"
            for name, hub in self.splits.items()
        ]
        gold = self.gold or " and ".join(self.check)
        return {
            "hub": self.dataset + (f" ({', '.join(self.configs)})" if self.configs else ""),
            **({"package": f"{self.package[0]} (PyPI)"} if self.package else {}),
            "splits": ", ".join(splits),
            "columns": ", ".join(self.columns),
            "gold": f"{gold}, {_FORMS[self.gold_form]}",
            "grader": self.grader,
            "license": self.license + (", gated" if self.is_gated else ""),
            "prompt": self.prompt,
            "read in": self.read_in,
        }


_FORMS: dict[GoldForm, str] = {
    "plain": "the answer itself",
    "solution": "a solution that marks its answer",
    "list": "a list of answers",
    "letter": "the letter of an option",
    "index": "the number of an option",
    "option": "the text of the right option",
    "check": "tests of a program",
}


def by_name(*sets: DataSet) -> dict[str, DataSet]:
    """Data sets by their names."""
    return {each.name: each for each in sets}
