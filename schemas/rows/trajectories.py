"""A row is a solution, or a rollout from one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.rows.check_results import CheckResult
from schemas.tables import Int32, TableSpec

Status = Literal["finished", "truncated", "pruned", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A piece of a solution; the joined texts of a trajectory's steps are its whole text."""

    text: str
    num_tokens: Int32
    logprob: float | None = None
    score: float | None = None
    value: float | None = None
    visits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """A solution, or a rollout, for which `parent_id` and `branch_step` say what it continues."""

    trajectory_id: str
    problem_id: str
    policy: str
    strategy: str
    sample_index: Int32
    parent_id: str | None = None
    branch_step: Int32 | None = None
    status: Status
    error: str | None = None
    steps: tuple[Step, ...]
    answer: str | None = None
    """What the solution answers; of a critique within a search, its verdict: `right` or `wrong`."""
    correct: bool | None = None
    grader: str
    temperature: float
    top_p: float
    seed: int
    prompt_tokens: Int32
    cached_tokens: Int32
    generated_tokens: Int32
    scored_tokens: Int32 = 0
    round: Int32 | None = None
    engine: str
    created_at: datetime
    budget: Int32 | None = None
    """Candidates per problem (N) of the search that made it."""
    verifier: str | None = None
    """The model whose scores its steps carry."""
    reason: str | None = None
    """Why a search did not continue from here, what was done to a thought, or why it has no end."""
    role: str | None = None
    """What it is if not a solution of the problem: `rollout` (a continuation that labels a step),
    `lookahead` (steps that only a ranking needs), `judge` (a judgement of a solution), `critic` (a
    critique within a search or a training), `refinement` (a second attempt at the solution
    `parent_id`), `error_path` (a solution made wrong on purpose), `revision` (a solution whose
    first steps are those of `parent_id`, up to before the one that its critique finds wrong),
    `self_talk` (steps and critiques in one text)."""
    reward: float | None = None
    """The reward that it got in training."""
    group_id: str | None = None
    """Shared by solutions whose rewards a training run compared."""
    training_step: Int32 | None = None
    """Optimizer steps of the training run before this solution was sampled."""
    token_ids: tuple[Int32, ...] | None = None
    """The sampled tokens of its steps, each with `num_tokens` of them, then an end of text that
    belongs to no step; None if the engine reported no ids."""
    vocabulary: str | None = None
    """Identifies the vocabulary of `token_ids` (see tasks.models.vocabulary)."""
    changed_boundaries: Int32 | None = None
    """Ends of steps at which the text so far, encoded alone, is not the tokens that were sampled;
    counted on the first sample of each problem."""
    thinking_tokens: Int32 | None = None
    """Tokens of its steps that are thoughts, tags included; the answer is in the steps behind them.
    None if the prompt's config does not tell thoughts from answers."""
    critique_id: str | None = None
    """The critique that a refinement was given (within a search, its row with the role `critic`);
    None for one without."""
    error_step: Int32 | None = None
    """Index of the step at which an error is known to have been put in, or may begin; of a critique
    within a search, the first step that it calls wrong."""
    error_note: str | None = None
    """What is known about that error, in words."""
    verifier_tokens: Int32 | None = None
    """Tokens that a generative verifier wrote about it; None for one that only reads."""
    segments: tuple[str, ...] | None = None
    """[num_steps] of a self-talk, what each step is: `step`, `critique` or `revision`; of a
    solution that ran programs: `step`, or `output` for what a program printed."""
    tool_tokens: Int32 | None = None
    """Tokens of its steps that are outputs of programs; they are not among `generated_tokens`. None
    for a solution that ran none."""
    retrieval_ids: tuple[str, ...] | None = None
    """The documents in its prompt, in the order shown; None for a search without documents."""
    num_retrievals: Int32 | None = None
    """Queries that were made for it; those that several rows share are in the first of them."""

    check_result: CheckResult | None = None
    """What running tests, a proof checker or a judge said; None where an answer was compared."""

    @property
    def text(self) -> str:
        """The generated text, separators included."""
        return "".join(step.text for step in self.steps)

    @property
    def logprob(self) -> float | None:
        """The summed log probability of the generated tokens; None if it was not recorded."""
        parts = [step.logprob for step in self.steps]
        known = [part for part in parts if part is not None]
        return sum(known) if known and len(known) == len(parts) else None


TRAJECTORIES = TableSpec("trajectories", Trajectory)
