"""Config of the import stage: solutions sampled elsewhere, and their scores."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import SetName
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.problems import ColumnsConfig, RowFile
from schemas.prompts import PlainPromptConfig, PromptConfig

DEFAULT_SCORES_COLUMN = "scores"

ModelName = Annotated[str, Field(min_length=1, max_length=200)]
"""The value of the `policy` or `verifier` column."""


class ImportsJob(ColumnsConfig):
    """A file with a problem per row, its solutions by one policy, and their scores."""

    path: RowFile
    """The file: `.jsonl`, `.json` (a row per line) or `.parquet`."""
    digest: str | None = None
    """SHA-256 of the file, so that an import is resumed only with the file it began with; filled in
    if it is not given."""
    set_name: SetName = "eval"
    """The name of this set of problems in the run."""
    source: str | None = None
    """The `source` of the problems, part of every id; None for the file's name without its
    extension."""
    split: str = "test"
    """The `split` of the problems."""
    responses_column: Annotated[str, Field(min_length=1)] = "responses"
    """Column of the solutions: a list of texts."""
    scores_column: Annotated[str, Field(min_length=1)] | None = None
    """Column of a score per solution, or of a list with one per step; None for `scores`, if that
    exists."""
    score_scale: Literal["probability", "logit"] = "probability"
    """`probability`: scores are in [0, 1]. `logit`: any real numbers, which the logistic function
    maps to probabilities in the same order."""
    policy: ModelName | None = None
    """The model that wrote the solutions; None for the file's name without its extension."""
    verifier: ModelName | None = None
    """The model that gave the scores; None for the name of their column."""
    prompt: PromptConfig = PlainPromptConfig()
    """Its separator splits the solutions into steps; later stages must use the same one."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right."""
    trajectories_per_unit: Annotated[int, Field(ge=1)] = 2000
    """Approximate number of solutions in a unit; a row of the file is never split."""
    unit_mb: Annotated[int, Field(ge=1)] = 32
    """Approximate maximum of a unit's solutions, in millions of characters."""

    @property
    def source_name(self) -> str:
        """The `source` of the problems."""
        return self.source or self.path.stem

    @property
    def policy_name(self) -> str:
        """The `policy` of the solutions."""
        return self.policy or self.path.stem

    @property
    def verifier_name(self) -> str:
        """The `verifier` of the scores."""
        return self.verifier or self.read_scores_column

    @property
    def read_scores_column(self) -> str:
        """The column that scores are read from, where it exists."""
        return self.scores_column or DEFAULT_SCORES_COLUMN
