"""Config of the import stage: solutions, scores and step labels that were made elsewhere."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from schemas.base import SetName, Since
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.problems import ColumnsConfig, RowFile
from schemas.prompts import PlainPromptConfig, PromptConfig

DEFAULT_SCORES_COLUMN = "scores"

LabelFormat = Literal["prm800k", "math_shepherd", "processbench", "stepwise"]
"""Formats of sets with a label per step (`tasks/imports/formats/`)."""
ImportFormat = Literal["auto", "solutions", LabelFormat]
NeutralLabel = Literal["right", "wrong", "none"]

ModelName = Annotated[str, Field(min_length=1, max_length=200)]
"""The value of the `policy` or `verifier` column."""


class ImportsJob(ColumnsConfig):
    """Solutions by one policy with their scores, or a public set of solutions with step labels."""

    path: RowFile | None = None
    """The file: `.jsonl`, `.json` (a row per line, or one list of rows) or `.parquet`; None for a
    `dataset`."""
    digest: str | None = None
    """SHA-256 of the file or of the data set's rows, so that an import is resumed only with the
    content it began with; filled in if it is not given."""
    set_name: SetName = "eval"
    """The name of this set of problems in the run."""
    source: str | None = None
    """The `source` of the problems, part of every id; None for the file's name without its
    extension, or for the data set's id."""
    split: str = "test"
    """The `split` of the problems, except those whose rows name their subset (ProcessBench)."""
    responses_column: Annotated[str, Field(min_length=1)] = "responses"
    """Column of the solutions: a list of texts."""
    scores_column: Annotated[str, Field(min_length=1)] | None = None
    """Column of a score per solution, or of a list with one per step; None for `scores`, if that
    exists."""
    score_scale: Literal["probability", "logit"] = "probability"
    """`probability`: scores are in [0, 1]. `logit`: any real numbers, which the logistic function
    maps to probabilities in the same order."""
    policy: ModelName | None = None
    """The model that wrote the solutions; None for the file's name without its extension, or for
    the data set's id."""
    verifier: ModelName | None = None
    """The model that gave the scores; None for the name of their column."""
    prompt: PromptConfig = PlainPromptConfig()
    """Its separator splits the solutions into steps, or joins the steps of a set that has them;
    later stages must use the same one."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right."""
    trajectories_per_unit: Annotated[int, Field(ge=1)] = 2000
    """Approximate number of solutions in a unit; a row of the file is never split."""
    unit_mb: Annotated[int, Field(ge=1)] = 32
    """Approximate maximum of a unit's solutions, in millions of characters."""
    dataset: Annotated[str | None, Field(min_length=1), Since(4)] = None
    """Hub id such as `Qwen/ProcessBench`, or a folder that `datasets` reads, instead of a file."""
    dataset_name: Annotated[str | None, Since(4)] = None
    """The configuration of the data set, if it has several."""
    dataset_split: Annotated[str, Field(min_length=1), Since(4)] = "train"
    """Its split, or several such as `gsm8k+math`."""
    revision: Annotated[str | None, Since(4)] = None
    """Its commit or tag; None for the newest."""
    format: Annotated[ImportFormat, Since(4)] = "auto"
    """`solutions`: the columns named above. Others are public sets of step labels, named by their
    own columns. `auto` recognises them by these."""
    neutral_label: Annotated[NeutralLabel, Since(4)] = "right"
    """What a step becomes that PRM800K's people rated 0: right as in the paper (arXiv:2305.20050,
    section 2.4), wrong as in TRL's conversion of the set, or without a label."""
    labels_method: Annotated[ModelName | None, Since(4)] = None
    """Whose step labels they are, in the column `method`; None for `human` (PRM800K,
    ProcessBench), `math_shepherd`, or `imported` (stepwise sets)."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.path is None) == (self.dataset is None):
            got = "neither" if self.path is None else "both"
            raise ValueError(f"expected a file (path) or a data set (dataset), got {got}")
        return self

    @property
    def place(self) -> str:
        """The file or data set, for messages."""
        if self.path is not None:
            return str(self.path)
        return f"dataset {self.dataset}, split {self.dataset_split}"

    @property
    def is_labelled(self) -> bool:
        """Whether the rows have step labels; False as long as the format is `auto`."""
        return self.format in get_args(LabelFormat)

    @property
    def source_name(self) -> str:
        """The `source` of the problems."""
        return self.source or self._own_name

    @property
    def policy_name(self) -> str:
        """The `policy` of the solutions."""
        return self.policy or self._own_name

    @property
    def _own_name(self) -> str:
        return self.path.stem if self.path is not None else self.dataset or ""

    @property
    def verifier_name(self) -> str:
        """The `verifier` of the scores."""
        return self.verifier or self.read_scores_column

    @property
    def read_scores_column(self) -> str:
        """The column that scores are read from, where it exists."""
        return self.scores_column or DEFAULT_SCORES_COLUMN
