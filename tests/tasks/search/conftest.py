"""Searches over hand-written worlds, and the odds of a search on a Markov chain."""

import asyncio
import math
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from schemas.engines import (
    Completion,
    Generation,
    GenerationRequest,
    MarkovConfig,
    ScoringRequest,
    StepScoring,
)
from schemas.errors import RequestRejected
from schemas.graders import ExactGraderConfig, GraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import Decision, Problem, Trajectory
from schemas.search import ScoreConfig, SearchJob, SearchLimits
from schemas.search.strategies import Strategy
from tasks.engines.base import Engine
from tasks.engines.host import Counters
from tasks.graders import make_grader
from tasks.prompts.formats import PromptFormat
from tasks.search.answers import Answers
from tasks.search.context import SearchContext
from tasks.search.decide import decide
from tasks.search.rows import make_rows
from tasks.search.session import Search
from tasks.search.strategies.registry import STRATEGIES
from tasks.search.tree import Node

FORMAT = PromptFormat(
    build=lambda messages: "\n".join(message.text for message in messages),
    has_chat_template=False,
    separator="\n",
)
_NUM_DIGITS = 10

Table = Mapping[str, Mapping[str, float]]


class TableEngine:
    """A policy and a verifier as tables: which pieces follow a text, and what a text scores.

    A piece is a token; the piece "" is the end of text, as is a text that the table does not know.
    Pieces are drawn by their probability and the request's seed, or dealt in turn.
    """

    name = "table"
    model_id = "table-0"
    vocabulary: str | None = None

    def __init__(
        self,
        table: Table | Callable[[str], Table],
        scores: Mapping[str, float] | None = None,
        *,
        is_dealt: bool = True,
        most_tokens: int = 10**6,
    ) -> None:
        """A context of `most_tokens`: a word of a prompt is a token, as is a piece."""
        self.requests: list[GenerationRequest] = []
        self.scored: list[str] = []
        """Whole texts, in order of scoring."""
        self.prompts_scored: list[str] = []
        """The prompts before them."""
        self.num_drawn = 0
        self.num_read = 0
        self._table = table if callable(table) else lambda _: table
        self._scores = scores or {}
        self._is_dealt = is_dealt
        self._most_tokens = most_tokens
        self._num_dealt: dict[tuple[str, str], int] = defaultdict(int)

    async def generate(self, request: GenerationRequest) -> Generation:
        self.requests.append(request)
        size = _num_words(request)
        if size >= self._most_tokens:
            raise RequestRejected(f"prompt of {size} tokens, room for {self._most_tokens}")
        await asyncio.sleep(0)
        return Generation(
            completions=tuple(self._write(request, i) for i in range(request.n)),
            prompt_tokens=size,
            cached_tokens=1,
        )

    async def score(self, request: ScoringRequest) -> StepScoring:
        await asyncio.sleep(0)
        texts = ["".join(request.steps[: i + 1]) for i in range(len(request.steps))]
        self.scored.append(texts[-1])
        self.prompts_scored.append(request.prompt)
        self.num_read += len(texts)
        return StepScoring(
            scores=tuple(self._scores[text] for text in texts[request.num_known :]),
            scored_tokens=len(texts) + 2,
            cached_tokens=2,
        )

    def encode_text(self, text: str) -> None:
        return None

    async def close(self) -> None:
        """Nothing is held."""

    def _write(self, request: GenerationRequest, index: int) -> Completion:
        assert request.seed is not None
        rng = random.Random(request.seed + index)
        table = self._table(request.prompt)
        pieces: list[str] = []
        logprobs: list[float] = []
        confidences: list[float] = []
        stop = None
        is_over = False
        room = self._most_tokens - _num_words(request)
        while not is_over and stop is None and len(pieces) < min(request.max_tokens, room):
            so_far = request.prefix + "".join(pieces)
            options = table.get(so_far, {"": 1.0})
            piece = self._draw(request, so_far, options, rng)
            pieces.append(piece)
            logprobs.append(math.log(options[piece]))
            likeliest = sorted(options.values(), reverse=True)[: request.num_alternatives]
            confidences.append(-sum(map(math.log, likeliest)) / max(len(likeliest), 1))
            is_over = not piece
            stop = next((s for s in request.stop if piece.endswith(s)), None)
        self.num_drawn += len(pieces)
        return Completion(
            text="".join(pieces),
            token_ids=tuple(range(len(pieces))),
            logprobs=tuple(logprobs),
            finish_reason="stop" if is_over or stop else "length",
            stop_string=stop,
            token_texts=tuple(pieces),
            confidences=tuple(confidences) if request.num_alternatives else None,
        )

    def _draw(
        self,
        request: GenerationRequest,
        so_far: str,
        options: Mapping[str, float],
        rng: random.Random,
    ) -> str:
        if request.temperature == 0:
            return max(options, key=lambda piece: options[piece])
        if not self._is_dealt:
            return rng.choices([*options], [*options.values()])[0]
        turn = self._num_dealt[request.prompt, so_far]
        self._num_dealt[request.prompt, so_far] += 1
        return [*options][turn % len(options)]


def _num_words(request: GenerationRequest) -> int:
    return len(request.prompt.split()) + len(request.prefix.split())


@dataclass
class Found:
    """One finished search."""

    search: Search
    ends: list[Node]
    problem: Problem
    job: SearchJob
    rows: list[Trajectory] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [end.text for end in self.ends]

    @property
    def any_correct(self) -> bool:
        return any(row.correct for row in self.rows if row.status == "finished")

    def decide(self) -> dict[str, Decision]:
        """The decisions by pick."""
        (strategy,) = self.job.strategies
        grader = make_grader(self.job.grader)
        made = decide([self.problem], self.rows, job=self.job, strategy=strategy, grader=grader)
        return {decision.pick: decision for decision in made}

    def main_decision(self) -> Decision:
        (decision,) = [decision for decision in self.decide().values() if decision.is_main]
        return decision


@pytest.fixture(scope="session")
def table_engine() -> type[TableEngine]:
    return TableEngine


@pytest.fixture(scope="session")
def find() -> Callable[..., list[Found]]:
    """Run a strategy over problems, all at once; each search with its rows."""

    def run(
        strategy: Strategy,
        policy: Engine,
        problems: Sequence[Problem],
        *,
        budget: int,
        verifier: Engine | None = None,
        score: ScoreConfig | None = None,
        grader: GraderConfig | None = None,
        prompt_format: PromptFormat = FORMAT,
        seed: int = 0,
        **limits: float,
    ) -> list[Found]:
        job = SearchJob(
            problems=WorldProblemsConfig(),
            policy=MarkovConfig(),
            verifier=MarkovConfig() if verifier else None,
            grader=grader or ExactGraderConfig(),
            strategies=(strategy,),
            budgets=(budget,),
            score=score or ScoreConfig(by="verifier", reduction="last"),
            limits=SearchLimits(**limits),  # type: ignore[arg-type]
        )

        async def one(index: int, problem: Problem) -> Found:
            context = SearchContext(
                engines={"policy": policy, "verifier": verifier}
                if verifier
                else {"policy": policy},
                prompt_formats={"policy": prompt_format},
                limits=job.limits,
                score=job.score,
                needs_likelihood=job.needs_likelihood(strategy),
                counters=Counters(),
            )
            grader = make_grader(job.grader)
            answers = Answers(grader, problem)
            search = Search(problem.question, budget, context, seed=seed + index, answers=answers)
            ends = await STRATEGIES[type(strategy)](search, strategy)
            found = Found(search, ends, problem, job)
            found.rows = await make_rows(
                search,
                ends,
                problem=problem,
                strategy=job.label(strategy),
                grader=grader,
                scope="scope",
            )
            return found

        async def everything() -> list[Found]:
            return await asyncio.gather(*(one(i, p) for i, p in enumerate(problems)))

        return asyncio.run(everything())

    return run


@pytest.fixture
def find_one(find, make_problem) -> Callable[..., Found]:
    """Run a strategy over one made-up problem whose answer is 4."""

    def run(strategy: Strategy, policy: Engine, **fields) -> Found:
        fields.setdefault("verifier", policy)
        (found,) = find(strategy, policy, [make_problem()], **fields)
        return found

    return run


Odds = dict[tuple[int, int], float]
"""The probability of each number of different right and wrong prefixes."""


@pytest.fixture(scope="session")
def p_alive() -> Callable[..., float]:
    """The chance that a search on the Markov chain without recovery still holds a right prefix.

    A dynamic programme over the number of different right and wrong prefixes of a level, each step
    having ten equally likely digits. `plan` says how many draws each of the prefixes gets, right
    ones first, as every exact verifier orders them.
    """

    def chance(
        *, budget: int, p_right: float, num_steps: int, plan: Callable[[int, int, int], list[int]]
    ) -> float:
        level = _draw_different(budget, p_right)
        for num_done in range(1, num_steps):
            after: dict[tuple[int, int], float] = defaultdict(float)
            for (right, wrong), p in level.items():
                children: Odds = {(0, 0): 1.0}
                for place, draws in enumerate(plan(right, wrong, num_done)):
                    drawn = _draw_different(draws, p_right if place < right else 0.0)
                    children = _add_up(children, drawn)
                for count, p_count in children.items():
                    after[count] += p * p_count
            level = dict(after)
        return sum(p for (right, _), p in level.items() if right)

    return chance


def _draw_different(num: int, p_right: float) -> Odds:
    """How many different right and wrong steps `num` draws give."""
    odds: Odds = {(0, 0): 1.0}
    for _ in range(num):
        after: dict[tuple[int, int], float] = defaultdict(float)
        for (right, wrong), p in odds.items():
            p_new_right = p_right * (1 - right / _NUM_DIGITS)
            p_new_wrong = (1 - p_right) * (1 - wrong / _NUM_DIGITS)
            after[right + 1, wrong] += p * p_new_right
            after[right, wrong + 1] += p * p_new_wrong
            after[right, wrong] += p * (1 - p_new_right - p_new_wrong)
        odds = {count: p for count, p in after.items() if p > 0}
    return odds


def _add_up(one: Odds, other: Odds) -> Odds:
    total: dict[tuple[int, int], float] = defaultdict(float)
    for (right, wrong), p in one.items():
        for (more_right, more_wrong), q in other.items():
            total[right + more_right, wrong + more_wrong] += p * q
    return dict(total)


@pytest.fixture(scope="session")
def assert_rate() -> Callable[[Sequence[bool], float], None]:
    """Check that successes agree with a probability, within four standard errors."""

    def check(successes: Sequence[bool], p: float) -> None:
        rate = sum(successes) / len(successes)
        margin = 4 * math.sqrt(p * (1 - p) / len(successes))
        assert abs(rate - p) <= margin, f"expected {p:.3f} +- {margin:.3f}, got {rate:.3f}"

    return check
