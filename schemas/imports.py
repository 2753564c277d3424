"""Config of the import stage: solutions that were sampled elsewhere, and their scores."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import SetName
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.problems import ColumnsConfig, RowFile
from schemas.prompts import PlainPromptConfig, PromptConfig

DEFAULT_SCORES_COLUMN = "scores"

ModelName = Annotated[str, Field(min_length=1, max_length=200)]
"""What the `policy` and `verifier` columns say."""


class ImportsJob(ColumnsConfig):
    """A file with a problem a row, its solutions by one policy, and scores of them."""

    path: RowFile
    """The file: `.jsonl`, `.json` (a row a line) or `.parquet`."""
    digest: str | None = None
    """SHA-256 of the file, so that an import is resumed only with the file it began with; it is
    filled in where it is not given."""
    set_name: SetName = "eval"
    """What this set of problems is called in the run."""
    source: str | None = None
    """What the `source` column of the problems says, part of every id; None for the file's name
    without ending."""
    split: str = "test"
    """What the `split` column of the problems says."""
    responses_column: Annotated[str, Field(min_length=1)] = "responses"
    """Column of the solutions: a list of texts."""
    scores_column: Annotated[str, Field(min_length=1)] | None = None
    """Column of a score per solution, or of a list of one per step; None for `scores`, where the
    file has it."""
    score_scale: Literal["probability", "logit"] = "probability"
    """`probability`: scores are in [0, 1]. `logit`: any real numbers; the logistic function makes
    probabilities of them, in the same order."""
    policy: ModelName | None = None
    """What wrote the solutions; None for the file's name without ending."""
    verifier: ModelName | None = None
    """What gave the scores; None for the name of their column."""
    prompt: PromptConfig = PlainPromptConfig()
    """Its separator cuts the solutions into steps; later stages need the same."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right."""
    trajectories_per_unit: Annotated[int, Field(ge=1)] = 2000
    """About how many solutions one unit holds; a row of the file is never split."""
    unit_mb: Annotated[int, Field(ge=1)] = 32
    """About how many million characters of solutions one unit holds at most."""

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
