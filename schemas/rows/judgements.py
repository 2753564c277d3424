"""A row is one judgement of a stored solution by a language model as a grader."""

from dataclasses import dataclass
from datetime import datetime

from schemas.rows.critiques import CritiqueStatus
from schemas.tables import Int32, TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a judge wrote about a solution, and the verdict that was read from it.

    A judge's verdict on a solution, which `verdicts` has, is made from all of its judgements.
    """

    judgement_id: str
    trajectory_id: str
    """The solution that it is about."""
    problem_id: str
    grader: str
    """The judge as a grader: model and settings, as in the `grader` column of its verdicts."""
    judge: str
    """The id of the model."""
    told: str
    """What the judge knew besides question and solution: `nothing`, `answer` or `solution`."""
    sample_index: Int32
    status: CritiqueStatus
    fault: str | None = None
    """Why it has no verdict: none or both are written, another word, a cut, the engine's error."""
    text: str
    verdict: bool | None = None
    """Whether it calls the solution right; None if it does not say."""
    temperature: float
    seed: int
    prompt_tokens: Int32 = 0
    cached_tokens: Int32 = 0
    generated_tokens: Int32 = 0
    round: Int32 | None = None
    engine: str
    created_at: datetime


JUDGEMENTS = TableSpec("judgements", Judgement)
