"""What stages would do, from their configs alone: units, requests, tokens and bytes of each stage.

Nothing is started, read from a store or written, and no model has to exist. Two figures are given
for generated tokens. The limit assumes that every text is as long as it may be. The expected figure
rests on `Assumptions`, which are printed with it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flows.runs.problem_counts import count_problems
from schemas.critiques import CritiquesJob
from schemas.problems import ProblemsConfig
from schemas.sampling import SamplingConfig
from schemas.search import SearchJob
from schemas.search.strategies import LookaheadConfig, MctsConfig, StrategyConfig
from schemas.step_labels import (
    ConsensusConfig,
    JudgeConfig,
    MonteCarloConfig,
    StepLabelsConfig,
)
from schemas.training.drawing import DrawingRecipe
from schemas.training.recipe import TrainingRecipe
from schemas.units import split_rows

_CHARS_PER_TOKEN = 3
_FILE_BYTES = 12_000
_ROW_BYTES = 100
_TOKEN_BYTES = 3
_USUAL_TOKENS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What limits do not say."""

    solution_tokens: int | None = None
    """Tokens of a solution; None for half of its limit, at most 400, or a quarter of the limit if
    that is more."""
    steps: int = 8
    """Steps of a solution."""
    question_tokens: int = 100
    """Tokens of a question, without the prompt around it."""
    p_right: float = 0.5
    """Share of solutions that are right, and of prefixes that can still be completed."""

    def tokens_of(self, limit: int) -> int:
        """Expected tokens of a text with this limit."""
        usual = max(min(_USUAL_TOKENS, limit // 2), limit // 4, 1)
        return min(self.solution_tokens or usual, limit)

    def words(self) -> list[str]:
        """One line for each."""
        tokens = (
            "half of its limit in tokens, at most 400, or a quarter of the limit if that is more"
            if self.solution_tokens is None
            else f"{self.solution_tokens} tokens"
        )
        return [
            f"a solution has {tokens}, in {self.steps} steps",
            f"a question has {self.question_tokens} tokens; {_CHARS_PER_TOKEN} characters of the "
            "prompt around it are a token",
            f"{self.p_right:.0%} of the solutions are right, and as many prefixes can be completed",
            f"a unit's file takes {_FILE_BYTES:,} bytes, a row in it {_ROW_BYTES}, and a generated "
            f"token {_TOKEN_BYTES}",
            "prefixes that were read once are not read again",
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageForecast:
    """What one stage would do; counts are over all of it."""

    stage: str
    units: int = 0
    requests: int = 0
    solutions: int = 0
    """Solutions, rollouts or candidates."""
    max_tokens: int = 0
    """Generated tokens if every text is as long as it may be."""
    tokens: int = 0
    """Generated tokens, expected."""
    scored_tokens: int = 0
    """Tokens that a verifier reads, expected."""
    trained_tokens: int = 0
    """Tokens that training passes over, all epochs together, expected."""
    num_bytes: int = 0
    """Bytes of rows, expected."""


@dataclass(slots=True)
class Forecaster:
    """Collects the stages of a flow."""

    assumed: Assumptions = field(default_factory=Assumptions)
    stages: list[StageForecast] = field(default_factory=list)

    def sample(
        self,
        stage: str,
        problems: ProblemsConfig,
        sampling: SamplingConfig,
        times: int = 1,
    ) -> int:
        """Add the sampling of a set, done this many times; the solutions of one time."""
        num_problems, files = count_problems(problems), solutions_per_file(problems, sampling)
        solutions = sum(files)
        tokens = solutions * self.assumed.tokens_of(sampling.max_tokens)
        self.add(
            stage,
            times,
            units=len(files),
            requests=num_problems,
            solutions=solutions,
            max_tokens=solutions * sampling.max_tokens,
            tokens=tokens,
            num_bytes=row_bytes(solutions, tokens),
        )
        return solutions

    def label(
        self, files: Sequence[int], per_unit: int, labels: StepLabelsConfig, length: int
    ) -> None:
        """Add the labelling of files of so many solutions, each of an expected length."""
        units, solutions = sum(math.ceil(rows / per_unit) for rows in files), sum(files)
        judge = labels.second if isinstance(labels, ConsensusConfig) else labels
        if isinstance(judge, JudgeConfig):
            self._judge(units, solutions, judge)
        labels = labels.first if isinstance(labels, ConsensusConfig) else labels
        if not isinstance(labels, MonteCarloConfig):
            self.add("step labels", units=units)
            return
        linear, num = self.assumed.steps - 1, labels.num_rollouts
        prefixes = float(linear)
        if labels.search == "bisection":
            prefixes = min(linear, math.ceil(math.log2(self.assumed.steps)))
            prefixes += labels.audit_fraction * (linear - prefixes)
        drawn = float(num)
        if labels.stopping != "none":
            alive = min(num, labels.min_correct / self.assumed.p_right)
            drawn = self.assumed.p_right * alive + (1 - self.assumed.p_right) * num
        rollouts = round(solutions * prefixes * drawn)
        tokens = rollouts * min(max(1, length // 2), labels.max_rollout_tokens)
        self.add(
            "step labels",
            units=units,
            requests=round(solutions * prefixes),
            solutions=rollouts,
            max_tokens=solutions * linear * num * labels.max_rollout_tokens,
            tokens=tokens,
            num_bytes=row_bytes(rollouts, tokens) + solutions * self.assumed.steps * 50,
        )

    def _judge(self, units: int, solutions: int, judge: JudgeConfig) -> None:
        """Add a judge's critiques of these solutions."""
        num = solutions * judge.num_judgements
        tokens = num * self.assumed.tokens_of(judge.max_tokens)
        self.add(
            "judgements",
            units=units,
            requests=solutions,
            solutions=num,
            max_tokens=num * judge.max_tokens,
            tokens=tokens,
            num_bytes=row_bytes(num, tokens),
        )

    def train(
        self, stage: str, recipe: TrainingRecipe, rows: int, tokens: int, times: int = 1
    ) -> None:
        """Add a training on this many rows of this many tokens each."""
        passes = rows * recipe.epochs
        if isinstance(recipe, DrawingRecipe):
            self._explore(stage, recipe, rows, times)
            return
        if recipe.max_steps is not None:
            passes = recipe.max_steps * recipe.batch_size
        self.add(
            stage, times, units=1, trained_tokens=round(passes * min(tokens, recipe.max_length))
        )

    def score(self, stage: str, files: Sequence[int], tokens: int) -> None:
        """Add the reading of files of solutions of this many tokens each, prompts included."""
        solutions = sum(files)
        self.add(
            stage,
            units=len(files),
            requests=solutions,
            scored_tokens=solutions * tokens,
            num_bytes=solutions * _ROW_BYTES,
        )

    def critique(self, job: CritiquesJob, files: Sequence[int]) -> None:
        """Add the critiques of so many solutions in each file, and the second attempts.

        A critique is expected to be as long as a solution; without a model it takes no tokens.
        """
        solutions, refining, has_model = sum(files), job.refining, job.critic.has_model
        num_critiques = job.critiquing.num_critiques if has_model else 1
        critiques = solutions * num_critiques
        for name, requests, num, limit in (
            ("critique", solutions, num_critiques, job.critiquing.max_tokens if has_model else 0),
            ("refine", critiques, refining.num_refinements, refining.max_tokens),
            ("retry", solutions, refining.num_retries, refining.max_tokens),
        ):
            if num:
                tokens = requests * num * self.assumed.tokens_of(limit)
                self.add(
                    f"{name} {job.set_name}",
                    units=len(files),
                    requests=requests,
                    solutions=requests * num,
                    max_tokens=requests * num * limit,
                    tokens=tokens,
                    num_bytes=row_bytes(requests * num, tokens),
                )

    def search(self, job: SearchJob) -> None:
        """Add every strategy at every budget."""
        num_problems = count_problems(job.problems)
        prompt = prompt_tokens(job.prompt, self.assumed)
        for strategy in job.strategies:
            reads = job.verifier is not None and (
                strategy.needs_verifier
                or (strategy.ranks and job.score.reads_verifier)
                or strategy.default_pick in ("weighted", "refined")
            )
            for budget in job.budgets:
                self._search(job, strategy, budget, num_problems, prompt if reads else None)

    def add(self, stage: str, times: int = 1, **counts: int) -> None:
        """Add a stage that is done this many times."""
        if counts.get("num_bytes"):
            counts["num_bytes"] += counts["units"] * _FILE_BYTES
        total = {name: count * times for name, count in counts.items()}
        self.stages.append(StageForecast(stage=stage, **total))

    def _search(
        self,
        job: SearchJob,
        strategy: StrategyConfig,
        budget: int,
        num_problems: int,
        read_prompt: int | None,
    ) -> None:
        limits, candidates = job.limits, num_problems * budget
        length = self.assumed.tokens_of(limits.max_tokens)
        factor, limit, requests = 1, limits.max_tokens, num_problems
        if strategy.is_stepwise:
            factor = _draws_per_candidate(strategy)
            step = min(limits.max_step_tokens, limits.max_tokens)
            limit = factor * limits.max_steps * step
            kept = max(1, budget // getattr(strategy, "width", 1))
            requests = num_problems * kept * self.assumed.steps * factor
        elif strategy.has_chains:
            requests = candidates
        judged = strategy.judgement_tokens
        written = num_problems * strategy.num_solutions(budget)
        tokens = written * length * factor
        tokens += candidates * self.assumed.tokens_of(judged) * bool(judged)
        scored = 0
        if read_prompt is not None:
            whole = num_problems if strategy.is_stepwise else candidates
            scored = whole * read_prompt + written * length * factor
        self.add(
            f"search {strategy.label()} N={budget}",
            units=math.ceil(num_problems / max(1, job.candidates_per_unit // budget)),
            requests=requests + (candidates if judged else 0),
            solutions=written,
            max_tokens=written * limit + candidates * judged,
            tokens=tokens,
            scored_tokens=scored,
            num_bytes=row_bytes(written * factor, tokens),
        )

    def _explore(self, stage: str, recipe: DrawingRecipe, states: int, times: int) -> None:
        """A training that samples its own solutions."""
        solutions = round(states * recipe.epochs * recipe.group_size)
        if recipe.max_steps is not None:
            draws = math.ceil(recipe.max_steps / recipe.steps_per_draw)
            solutions = draws * recipe.solutions_per_draw
        most = solutions * recipe.max_new_tokens
        tokens = solutions * self.assumed.tokens_of(recipe.max_new_tokens)
        if recipe.max_generated_tokens is not None:
            most = min(most, recipe.max_generated_tokens)
            each = self.assumed.tokens_of(recipe.max_new_tokens)
            solutions = min(solutions, recipe.max_generated_tokens // each)
            tokens = solutions * each
        self.add(
            stage,
            times,
            units=1,
            requests=solutions // recipe.group_size,
            solutions=solutions,
            max_tokens=most,
            tokens=tokens,
            trained_tokens=tokens
            * recipe.steps_per_draw
            * recipe.batch_size
            // recipe.solutions_per_draw,
            num_bytes=row_bytes(solutions, tokens),
        )


def solutions_per_file(problems: ProblemsConfig, sampling: SamplingConfig) -> list[int]:
    """Solutions in each file of a sampling, as the sampling stage splits them."""
    size = max(1, sampling.trajectories_per_unit // sampling.num_samples)
    rows = split_rows(count_problems(problems), size)
    return [(stop - start) * sampling.num_samples for start, stop in rows]


def row_bytes(rows: int, tokens: int) -> int:
    """Bytes of rows that hold this many generated tokens."""
    return rows * _ROW_BYTES + tokens * _TOKEN_BYTES


def prompt_tokens(prompt: Any, assumed: Assumptions) -> int:
    """Expected tokens of a question with the prompt around it."""
    examples = prompt.examples if isinstance(prompt.examples, tuple) else ()
    shown = sum(len(prompt.template + each.question + each.answer) for each in examples)
    around = len(prompt.template) + len(getattr(prompt, "system", None) or "") + shown
    return assumed.question_tokens + around // _CHARS_PER_TOKEN


def _draws_per_candidate(strategy: StrategyConfig) -> int:
    """Texts drawn for the length of one candidate."""
    if isinstance(strategy, LookaheadConfig):
        return 1 + strategy.depth
    return strategy.width if isinstance(strategy, MctsConfig) else 1
