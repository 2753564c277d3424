"""Where problems come from: the built-in world, a named public set, a set on the hub, or a file."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.base import FrozenConfig, SetName, Since
from schemas.data_sets import DATA_SETS, DataSet
from schemas.graders import GraderConfig

GoldFormat = Literal["plain", "solution"]
"""`plain`: the answer column holds only the answer. `solution`: it holds a worked solution, whose
answer is found as in any solution: the last `\\boxed{...}`, else after `####` or `Answer:`."""

ROW_FILES = (".jsonl", ".json", ".parquet")
"""Extensions of the files that can be read."""


def _check_row_file(path: Path) -> Path:
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"expected a path in UTF-8, got {str(path)!r}") from error
    if path.suffix not in ROW_FILES:
        raise ValueError(f"expected a .jsonl, .json or .parquet file, got {path}")
    return path


def _check_name(name: str) -> str:
    if name not in DATA_SETS:
        close = get_close_matches(name, DATA_SETS, n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"expected one of {', '.join(DATA_SETS)}, got {name!r}{hint}")
    return name


RowFile = Annotated[Path, AfterValidator(_check_row_file)]
"""A file with a row per problem."""
LevelNumber = Annotated[int, Field(ge=1, le=5)]


class WorldProblemsConfig(FrozenConfig):
    """Problems of the built-in world: generated and exactly checkable, without a download."""

    type: Literal["world"] = "world"
    split: Literal["train", "dev", "test"] = "dev"
    """Disjoint by construction: no problem of one split is in another, whatever the seed."""
    num_problems: Annotated[int, Field(ge=1)] = 200
    """Number of problems; a larger set begins with the same problems."""
    seed: int = 1
    """A different seed makes a different set of the same split."""
    levels: Annotated[tuple[LevelNumber, ...], Field(min_length=1)] = (1, 2, 3, 4, 5)
    """Difficulty levels, used in turn."""
    diaries: Annotated[bool, Since(4)] = False
    """Whether questions leave out their stories, whose sentences are then in the documents of type
    `diaries` (see docs/retrieval.md)."""


class TheoremProblemsConfig(FrozenConfig):
    """The theorems that come with the package (logic, naturals, lists), to be proved in Coq."""

    type: Literal["theorems"] = "theorems"
    split: Literal["test"] = "test"
    """There is one split."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Use only the first theorems; None for all."""


class ColumnsConfig(FrozenConfig):
    """Which columns of a table hold what."""

    question_column: Annotated[str, Field(min_length=1)] = "question"
    """Column of the question's text."""
    answer_column: Annotated[str, Field(min_length=1)] = "answer"
    """Column of the gold answer, or of the solution that ends in it."""
    gold_format: GoldFormat = "plain"
    """Whether the answer column holds only the answer, or a solution that ends in it."""
    solution_column: str | None = None
    """Column of a worked solution; None for none, or with `gold_format` "solution" the answer's."""
    level_column: str | None = None
    """Column of a difficulty level: a number, or text with one number, such as "Level 2"."""
    subject_column: str | None = None
    """Column of a subject or category."""
    check_column: Annotated[str | None, Since(4)] = None
    """Column of what solutions are checked by instead of the answer, such as unit tests or a
    theorem: JSON text, a list or an object. A row that has one needs no answer."""
    check_columns: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Since(4)] = ()
    """Columns that together are what solutions are checked by, such as `["test", "entry_point"]`,
    instead of `check_column`: the check is a JSON object of those that a row has."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Use only the first rows; None for all."""

    @model_validator(mode="after")
    def _has_one_check(self) -> Self:
        if self.check_column is not None and self.check_columns:
            raise ValueError("expected check_column or check_columns, got both")
        return self


class HubProblemsConfig(ColumnsConfig):
    """A set on the Hugging Face hub."""

    type: Literal["hub"] = "hub"
    dataset: Annotated[str, Field(min_length=1)]
    """Hub id, such as `openai/gsm8k`; also the `source` of the problems."""
    name: str | None = None
    """The configuration of the set, if it has several."""
    split: str = "test"
    """The split of the hub set."""
    revision: str | None = None
    """Commit or tag; None for the newest."""


class FileProblemsConfig(ColumnsConfig):
    """A JSONL or Parquet file."""

    type: Literal["file"] = "file"
    path: RowFile
    """The file: `.jsonl`, `.json` (a row per line) or `.parquet`."""
    split: str = "test"
    """The `split` of the problems."""
    source: str | None = None
    """The `source` of the problems, part of every id; None for the file's name without
    extension."""


class NamedProblemsConfig(FrozenConfig):
    """A public set by its short name, such as `gsm8k`; columns and gold answers are known."""

    type: Literal["named"] = "named"
    name: Annotated[str, AfterValidator(_check_name)]
    """The set, as in `stepmill describe`, which prints what is known about it."""
    split: str | None = None
    """One of the set's splits; None for the usual one: `test` if it has one, else `train`."""
    revision: str | None = None
    """Commit or tag on the hub; None for the newest."""
    path: Path | None = None
    """A copy to read instead of the hub: a folder in the form of the hub's, or a `.jsonl`, `.json`,
    `.csv` or `.parquet` file with the rows of the split."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Use only the first rows; None for all."""

    @property
    def data_set(self) -> DataSet:
        """What is known about the set."""
        return DATA_SETS[self.name]

    @model_validator(mode="before")
    @classmethod
    def _choose_split(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("split") is not None:
            return values
        name = values.get("name")
        known = DATA_SETS.get(name) if isinstance(name, str) else None
        return values if known is None else {**values, "split": next(iter(known.splits))}

    @model_validator(mode="after")
    def _has_split(self) -> Self:
        if self.split not in self.data_set.splits:
            raise ValueError(
                f"split: expected {' or '.join(self.data_set.splits)} of {self.name}, "
                f"got {self.split!r}"
            )
        return self


ProblemsConfig = Annotated[
    WorldProblemsConfig
    | HubProblemsConfig
    | FileProblemsConfig
    | NamedProblemsConfig
    | TheoremProblemsConfig,
    Field(discriminator="type"),
]


class ProblemsJob(FrozenConfig):
    """Which problems a run gets, and their name in the run."""

    problems: ProblemsConfig
    """Where they come from."""
    set_name: SetName = "eval"
    """The name of this set in the run, for example `train` or `eval`."""
    grader: GraderConfig | None = None
    """What will grade solutions; problems whose answers it cannot use are reported. None to
    skip."""


def gsm8k(
    *, split: Literal["train", "test"] = "test", path: Path | None = None, limit: int | None = None
) -> HubProblemsConfig | FileProblemsConfig:
    """GSM8K from the hub, or from a copy of its rows in a file, with the same ids."""
    if path is None:
        return HubProblemsConfig(
            dataset="openai/gsm8k", name="main", split=split, gold_format="solution", limit=limit
        )
    return FileProblemsConfig(
        path=path, source="openai/gsm8k", split=split, gold_format="solution", limit=limit
    )


def math500(
    *, path: Path | None = None, limit: int | None = None
) -> HubProblemsConfig | FileProblemsConfig:
    """MATH-500, or any set with MATH's columns, from the hub or from a file, with the same ids."""
    columns = ColumnsConfig(
        question_column="problem",
        solution_column="solution",
        level_column="level",
        subject_column="subject",
        limit=limit,
    ).model_dump()
    if path is None:
        return HubProblemsConfig(dataset="HuggingFaceH4/MATH-500", **columns)
    return FileProblemsConfig(path=path, source="HuggingFaceH4/MATH-500", **columns)
