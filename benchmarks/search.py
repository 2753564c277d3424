"""Search in problems per second, against a lock-step loop and against plain sampling.

The contestants get the same problems, policy, verifier, budget N and width, and rank by the same
score. Each is the search stage's work on one unit (problems read from the store, trees searched,
graded and committed) or a lock-step loop as public toolkits write it over vLLM's offline `LLM`: one
problem's N beams in a batch, generate a step, wait, score the whole prefixes, wait, prune. Public
toolkits score with transformers; here the loop's verifier is served by vLLM as well.

Every contestant runs in its own processes, one per core with a share of the problems, with engines
started and warm before a common start. A process has as many problems as an actor has at once: two
units, or 2,048 candidates, unless --problems says otherwise. Contestants take turns, and a
different one goes first each time. The ratio of processor time is reported beside that of
wall-clock time. Plain sampling (N solutions, no verifier) is the raw engine: the tokens that a
search generates per second are compared with it, and the verifier's share is read from the same
search ranked by likelihood alone. Prints one JSON object on its last line.

    python -m benchmarks.search --verifier CHECKPOINT --quick
"""

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS, TRAJECTORIES, ModelRole, Problem
from schemas.search import ScoreConfig, SearchJob, SearchLimits
from schemas.search.strategies import BeamConfig, DvtsConfig, MajorityConfig, Strategy
from schemas.unit_names import SearchCell, TreesName
from schemas.units import Unit
from storage import Store
from tasks.engines.base import Engine
from tasks.steps.segmentation import split_steps
from tasks.verifiers.reductions import join_likelihood

SEPARATOR = "\n"
LIMITS = SearchLimits(max_tokens=128, max_step_tokens=64)
POLICY = VLLMConfig(model=SHIPPED_POLICY, max_num_seqs=512)
_WIDTH = 4
_STRATEGIES: dict[str, Strategy] = {"beam": BeamConfig(), "dvts": DvtsConfig()}
_CANDIDATES = 2048


@dataclass(frozen=True, slots=True)
class Contest:
    """One way to search all problems at one budget."""

    name: str
    strategy: Strategy
    budget: int
    with_verifier: bool = True
    in_lock_step: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """The cost of one process's share of the problems, and its results."""

    num_problems: int
    num_right: int
    generated_tokens: int
    scored_tokens: int
    seconds: float
    processor_s: float


def run_contest(contest: Contest, problems: Sequence[Problem], verifier: str, start: Any) -> Timing:
    """One process's share of a contest, timed from the common start."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if contest.in_lock_step:
        return _time_lock_step(contest, problems, verifier, start)
    return asyncio.run(_time_stage(contest, problems, verifier, start))


async def _time_stage(
    contest: Contest, problems: Sequence[Problem], verifier: str, start: Any
) -> Timing:
    """The stage's work on one unit."""
    from tasks.engines.host import Counters, UnitContext
    from tasks.engines.open import open_engine
    from tasks.search.decide import decide
    from tasks.search.search import SearchTask, search_problems

    job = _job(contest, verifier)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        engines: dict[ModelRole, Engine] = {
            "policy": await open_engine(job.policy, "policy", separator=SEPARATOR)
        }
        if job.verifier is not None:
            engines["verifier"] = await open_engine(job.verifier, "verifier", separator=SEPARATOR)
        context = UnitContext(store, engines, Counters())

        async def search(name: str, searched: Sequence[Problem]) -> Any:
            cell = SearchCell(name, contest.strategy.type, contest.budget, "0" * 12)
            source = Unit(run_id="b", stage="problems", name=name, table=PROBLEMS.name)
            store.commit(source, searched)
            unit = Unit(
                run_id="b",
                stage="search",
                name=str(TreesName(cell, 0)),
                table=TRAJECTORIES.name,
                inputs=(source.path,),
            )
            task = SearchTask(job=job, strategy=contest.strategy, budget=contest.budget, scope=name)
            store.commit(unit, await search_problems(unit, {str(cell): task}, context))
            return store.read(unit.path)

        await search("warm", _warm_problems(len(problems)))
        start.wait()
        wall, processor = time.perf_counter(), time.process_time()
        rows = await search("timed", problems)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        grader = context.grader(job.grader)
        decisions = decide(problems, rows, job=job, strategy=contest.strategy, grader=grader)
        for engine in engines.values():
            await engine.close()
    return Timing(
        num_problems=len(problems),
        num_right=sum(d.is_main and d.correct is True for d in decisions),
        generated_tokens=sum(row.generated_tokens for row in rows),
        scored_tokens=sum(row.scored_tokens for row in rows),
        seconds=wall,
        processor_s=processor,
    )


def _time_lock_step(
    contest: Contest, problems: Sequence[Problem], verifier: str, start: Any
) -> Timing:
    """Problem after problem, batch after batch."""
    loop = LockStep(contest, verifier)
    for problem in _warm_problems(2):
        loop.search(problem)
    loop.generated_tokens = loop.scored_tokens = 0
    start.wait()
    wall, processor = time.perf_counter(), time.process_time()
    num_right = sum(loop.search(problem) for problem in problems)
    return Timing(
        num_problems=len(problems),
        num_right=num_right,
        generated_tokens=loop.generated_tokens,
        scored_tokens=loop.scored_tokens,
        seconds=time.perf_counter() - wall,
        processor_s=time.process_time() - processor,
    )


@dataclass(slots=True)
class _Beam:
    text: str = ""
    logprob: float = 0.0
    score: float = -math.inf
    is_done: bool = False


class LockStep:
    """Beam search and DVTS in lock-step over vLLM's offline `LLM`."""

    def __init__(self, contest: Contest, verifier: str) -> None:
        """Load policy and verifier."""
        from tasks.engines.vllm_arguments import engine_arguments, prepare_environment
        from tasks.graders import make_grader
        from tasks.models.folders import resolve_model

        prepare_environment()
        from vllm import LLM

        job = _job(contest, verifier)
        self._llm = LLM(**engine_arguments(POLICY, str(resolve_model(POLICY.model)), "policy"))
        whole = engine_arguments(VLLMConfig(model=verifier), verifier, "verifier")
        whole["enable_prefix_caching"] = False
        self._prm = LLM(**whole)
        self._tokenizer = self._llm.get_tokenizer()
        self._contest = contest
        self._grader = make_grader(job.grader)
        self.generated_tokens = 0
        self.scored_tokens = 0

    def search(self, problem: Problem) -> bool:
        """Search one problem; true if the best beam's answer is right."""
        budget, prompt = self._contest.budget, problem.question + SEPARATOR
        groups = budget // _WIDTH if isinstance(self._contest.strategy, DvtsConfig) else 1
        beams = self._extend(prompt, [_Beam() for _ in range(budget)])
        for _ in range(LIMITS.max_steps):
            if all(beam.is_done for beam in beams):
                break
            size = len(beams) // groups
            kept = [
                beam
                for group in range(groups)
                for beam in _keep(beams[group * size : (group + 1) * size], groups > 1, budget)
            ]
            beams = self._extend(prompt, kept)
        best = max(beams, key=lambda beam: beam.score)
        return self._grader.grade(best.text, problem).correct is True

    def _extend(self, prompt: str, beams: Sequence[_Beam]) -> list[_Beam]:
        """One more scored step of each unfinished beam; the others unchanged."""
        from vllm import SamplingParams

        growing = [beam for beam in beams if not beam.is_done]
        if not growing:
            return list(beams)
        params = SamplingParams(
            temperature=LIMITS.temperature,
            max_tokens=LIMITS.max_step_tokens,
            stop=[SEPARATOR],
            include_stop_str_in_output=True,
            logprobs=0,
        )
        prompts = [prompt + beam.text for beam in growing]
        outputs = self._llm.generate(prompts, params, use_tqdm=False)
        grown = []
        for beam, output in zip(growing, outputs, strict=True):
            (continuation,) = output.outputs
            self.generated_tokens += len(continuation.token_ids)
            text = beam.text + continuation.text
            is_done = (
                not continuation.text.endswith(SEPARATOR)
                or len(self._tokenizer(text)["input_ids"]) >= LIMITS.max_tokens
            )
            logprob = beam.logprob + (continuation.cumulative_logprob or 0.0)
            grown.append(_Beam(text, logprob, is_done=is_done))
        self._score(prompt, grown)
        ready = iter(grown)
        return [beam if beam.is_done else next(ready) for beam in beams]

    def _score(self, prompt: str, beams: Sequence[_Beam]) -> None:
        """Read each whole prefix again."""
        from tasks.verifiers.layout import Encoder, lay_out

        encode = Encoder(self._tokenizer)
        beams = [beam for beam in beams if beam.text.strip()]  # one without text remains the last
        steps = [split_steps(beam.text, SEPARATOR) for beam in beams]
        layouts = [lay_out(encode, prompt, texts, SEPARATOR) for texts in steps]
        tokens: list[Any] = [{"prompt_token_ids": layout.token_ids} for layout in layouts]
        outputs = self._prm.encode(tokens, pooling_task="token_classify", use_tqdm=False)
        for beam, layout, output in zip(beams, layouts, outputs, strict=True):
            self.scored_tokens += len(layout.token_ids)
            scores = output.outputs.data[layout.positions].double()[:, 1].tolist()
            beam.score = join_likelihood(beam.logprob, min(max(min(scores), 0.0), 1.0))


def _keep(beams: Sequence[_Beam], is_subtree: bool, budget: int) -> list[_Beam]:
    """The beams of the next round: finished ones, and copies of the best unfinished ones."""
    order = sorted(beams, key=lambda beam: -beam.score)
    if is_subtree:
        return [order[0]] * _WIDTH
    done = [beam for beam in beams if beam.is_done]
    growing = [beam for beam in order if not beam.is_done]
    num_slots = budget - len(done)
    kept = growing[: math.ceil(num_slots / _WIDTH)]
    return done + [kept[i % len(kept)] for i in range(num_slots)]


def _job(contest: Contest, verifier: str) -> SearchJob:
    return SearchJob(
        problems=WorldProblemsConfig(),
        policy=POLICY,
        verifier=VLLMConfig(model=verifier) if contest.with_verifier else None,
        strategies=(contest.strategy,),
        budgets=(contest.budget,),
        score=ScoreConfig() if contest.with_verifier else ScoreConfig(by="likelihood"),
        limits=LIMITS,
    )


def _warm_problems(num: int) -> list[Problem]:
    return _world_problems(num, seed=99)


def _world_problems(num: int, seed: int) -> list[Problem]:
    from tasks.problems.load import load_problems

    return load_problems(WorldProblemsConfig(split="dev", num_problems=num, seed=seed))[0]


def _child(contest: Contest, shard: int, num: int, seed: int, verifier: str, pipe: Any) -> None:
    class Start:
        def wait(self) -> None:
            pipe.send("ready")
            pipe.recv()

    problems = _world_problems(num, seed)[shard :: _num_processes()]
    pipe.send(asdict(run_contest(contest, problems, verifier, Start())))


def _num_processes() -> int:
    return max(1, len(os.sched_getaffinity(0)))


def time_contest(contest: Contest, num: int, seed: int, verifier: str) -> Timing:
    """All processes of a contest: the seconds of the slowest, the other figures summed.

    Raises:
        RuntimeError: a process failed.
    """
    spawn = multiprocessing.get_context("spawn")
    ends, children = [], []
    for shard in range(_num_processes()):
        ours, theirs = spawn.Pipe()
        child = spawn.Process(
            target=_child, args=(contest, shard, num, seed, verifier, theirs), daemon=True
        )
        child.start()
        theirs.close()
        ends.append(ours)
        children.append(child)
    try:
        for end in ends:
            end.recv()
        for end in ends:
            end.send("go")
        found = [Timing(**end.recv()) for end in ends]
    except EOFError as error:
        raise RuntimeError(f"a process of {contest.name} ended early") from error
    finally:
        for child in children:
            child.join(60)
            child.kill()
    return Timing(
        num_problems=sum(t.num_problems for t in found),
        num_right=sum(t.num_right for t in found),
        generated_tokens=sum(t.generated_tokens for t in found),
        scored_tokens=sum(t.scored_tokens for t in found),
        seconds=max(t.seconds for t in found),
        processor_s=sum(t.processor_s for t in found),
    )


def contests(budgets: Sequence[int], *, quick: bool) -> list[Contest]:
    """This and lock-step search of each strategy, plain sampling, and search without verifier."""
    found = []
    for budget in budgets:
        for name, strategy in list(_STRATEGIES.items())[: 1 if quick else None]:
            found.append(Contest(f"{name} {budget}", strategy, budget))
            found.append(Contest(f"{name} {budget} lock-step", strategy, budget, in_lock_step=True))
        bare = f"beam {budget} by likelihood"
        found.append(Contest(bare, BeamConfig(), budget, with_verifier=False))
        found.append(Contest(f"sampling {budget}", MajorityConfig(), budget, with_verifier=False))
    return found


def summarise(timings: dict[str, list[Timing]], budgets: Sequence[int]) -> dict[str, Any]:
    """Median figures of each contest, and the ratios, each the median over rounds."""

    def ratio(one: str, other: str, what: str, per: str = "num_problems") -> float:
        return round(
            statistics.median(
                (getattr(a, per) / getattr(a, what)) / (getattr(b, per) / getattr(b, what))
                for a, b in zip(timings[one], timings[other], strict=True)
            ),
            3,
        )

    figures: dict[str, Any] = {}
    for name, rounds in timings.items():
        figures[name] = {
            "problems": rounds[0].num_problems,
            "problems_per_s": round(
                statistics.median(t.num_problems / t.seconds for t in rounds), 2
            ),
            "tokens_per_s": round(
                statistics.median(t.generated_tokens / t.seconds for t in rounds)
            ),
            "accuracy": round(statistics.mean(t.num_right / t.num_problems for t in rounds), 3),
            "generated_tokens": rounds[0].generated_tokens,
            "scored_tokens": rounds[0].scored_tokens,
        }
    ratios = {}
    for budget in budgets:
        for name in _STRATEGIES:
            if f"{name} {budget}" not in timings:
                continue
            one, other = f"{name} {budget}", f"{name} {budget} lock-step"
            ratios[f"{one} over lock-step"] = {
                "wall": ratio(one, other, "seconds"),
                "processor": ratio(one, other, "processor_s"),
            }
        tokens = "generated_tokens"
        plain, bare = f"sampling {budget}", f"beam {budget} by likelihood"
        ratios[f"beam {budget} over plain sampling, tokens"] = {
            "wall": ratio(f"beam {budget}", plain, "seconds", tokens),
            "processor": ratio(f"beam {budget}", plain, "processor_s", tokens),
        }
        share = 1 - ratio(f"beam {budget}", bare, "processor_s", tokens)
        ratios[f"beam {budget}, verifier's share of the time"] = round(share, 3)
    return {"contests": figures, "ratios": ratios}


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--verifier", required=True, help="a checkpoint of the built-in world")
    parser.add_argument("--quick", action="store_true", help="beam at N = 4, once")
    parser.add_argument("--problems", type=int, help="problems per contest")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budgets", type=int, nargs="+", help="N (quick: 4, else 4 and 16)")
    arguments = parser.parse_args()
    budgets = tuple(arguments.budgets or ((4,) if arguments.quick else (4, 16)))
    rounds = 1 if arguments.quick else arguments.rounds
    plan = contests(budgets, quick=arguments.quick)
    timings: dict[str, list[Timing]] = {contest.name: [] for contest in plan}
    for index in range(rounds):
        turn = index % len(plan)
        for contest in [*plan[turn:], *plan[:turn]]:
            num = _CANDIDATES // contest.budget * _num_processes()
            num = arguments.problems or (64 if arguments.quick else num)
            timing = time_contest(contest, num, index + 1, arguments.verifier)
            timings[contest.name].append(timing)
            sys.stderr.write(f"{contest.name}: {json.dumps(asdict(timing))}\n")
    figures = {
        "benchmark": "search",
        "quick": arguments.quick,
        "cores": _num_processes(),
        "rounds": rounds,
        "width": _WIDTH,
    }
    print(json.dumps(figures | summarise(timings, budgets)))


if __name__ == "__main__":
    main()
