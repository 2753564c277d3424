"""The policy of random tactics against enumeration, and its table of proofs against Coq."""

import asyncio
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from itertools import product
from math import exp, sqrt

import pytest

from schemas.engines import Generation, GenerationRequest, ScoringRequest, TacticsConfig
from schemas.errors import RequestRejected
from tasks.engines.base import Engine
from tasks.engines.tactics_engine import (
    MAX_TACTICS,
    TACTICS,
    ProofState,
    TacticsEngine,
    tactic_proofs,
)
from tasks.problems.theorems import HEADER, read_theorems, theorem_problems

PROBLEMS = theorem_problems()
SOME = [PROBLEMS[index] for index in (0, 13, 40, 75, 100)]


def generate(problem, p_end: float = 0.5, **fields: object) -> Generation:
    values = {"prompt": problem.question, "max_tokens": 10, "seed": 1, **fields}
    request = GenerationRequest(**values)  # type: ignore[arg-type]
    return asyncio.run(TacticsEngine(TacticsConfig(p_end=p_end)).generate(request))


def statement_of(problem) -> str:
    return problem.question.rpartition("Theorem goal : ")[2].removesuffix(".")


def whole_proofs(p_end: float) -> Iterator[tuple[str, float]]:
    """Every sequence of one to three tactics, as digits, with its probability by hand."""
    for number in (1, 2, 3):
        p_length = {1: p_end, 2: (1 - p_end) * p_end, 3: (1 - p_end) ** 2}[number]
        for tactics in product("01234567", repeat=number):
            yield "".join(tactics), p_length / 8**number


def digits_of(text: str) -> str:
    lines = text.split("\n")
    assert lines.pop() == "Qed."
    return "".join(str(TACTICS.index(line)) for line in lines)


@pytest.mark.parametrize("p_end", [0.5, 0.2])
def test_steps_and_values_are_those_of_all_proofs_together(p_end):
    engine = TacticsEngine(TacticsConfig(p_end=p_end))
    chances = dict(whole_proofs(p_end))
    assert len(chances) == 8 + 64 + 512
    assert sum(chances.values()) == pytest.approx(1)
    for problem in SOME:
        proofs = tactic_proofs()[statement_of(problem)]
        for digits in ("", "0", "6", "75", "706"):
            state = ProofState(statement_of(problem), digits)
            steps = engine.next_steps(state)
            assert sum(steps.values()) == pytest.approx(1)
            below = {d: p for d, p in chances.items() if d.startswith(digits)}
            for token_id, p in steps.items():
                further = engine.advance(state, token_id).tactics
                under = {
                    d: p for d, p in below.items() if d.startswith(further) and further != digits
                }
                p_below = sum(under.values()) if under else below[digits]
                assert p == pytest.approx(p_below / sum(below.values()))
            p_right = sum(p for d, p in below.items() if d in proofs) / sum(below.values())
            assert engine.value(state) == pytest.approx(p_right)


def test_a_proof_has_the_probability_that_its_logprobs_say():
    chances = dict(whole_proofs(0.2))
    for completion in generate(SOME[1], p_end=0.2, n=20, with_logprobs=True).completions:
        assert completion.logprobs is not None
        assert exp(sum(completion.logprobs)) == pytest.approx(chances[digits_of(completion.text)])
        assert (completion.finish_reason, completion.stop_string) == ("stop", None)


@pytest.mark.parametrize("prefix", ["", "intros.\n", "intros.\nsimpl.\n"])
def test_sampled_proofs_are_as_often_right_as_the_value_says(prefix):
    num = 800
    for problem in SOME:
        proofs = tactic_proofs()[statement_of(problem)]
        drawn = [c.text for c in generate(problem, n=num, prefix=prefix).completions]
        state = ProofState(statement_of(problem), digits_of(prefix + "Qed."))
        p = TacticsEngine(TacticsConfig()).value(state)
        num_right = sum(digits_of(prefix + text) in proofs for text in drawn)
        assert abs(num_right / num - p) <= 4 * sqrt(p * (1 - p) / num)


def test_lengths_follow_the_chance_to_end():
    drawn = generate(SOME[0], p_end=0.25, n=2000).completions
    lengths = Counter(len(digits_of(completion.text)) for completion in drawn)
    for length, p in {1: 0.25, 2: 0.75 * 0.25, MAX_TACTICS: 0.75**2}.items():
        assert abs(lengths[length] / 2000 - p) <= 4 * sqrt(p * (1 - p) / 2000)


def test_scores_are_the_values_after_each_step():
    engine = TacticsEngine(TacticsConfig())
    request = ScoringRequest(prompt=SOME[0].question, steps=("intros.\n", "auto.\n", "Qed."))
    states = [ProofState(statement_of(SOME[0]), digits) for digits in ("0", "01")]
    ended = float("01" in tactic_proofs()[statement_of(SOME[0])])
    expected = [*(engine.value(state) for state in states), ended]
    assert asyncio.run(engine.score(request)).scores == pytest.approx(expected)


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "Theorem goal : 0 = 1."},
        {"prompt": "Prove it."},
        {"prefix": "Qed.\n"},
        {"prefix": "ring.\n"},
        {"prefix": "intros.\nQed.\nauto.\n"},
        {"prefix": "auto.\nauto.\nauto.\nauto.\n"},
    ],
)
def test_what_cannot_be_in_this_world_is_rejected(fields):
    with pytest.raises(RequestRejected):
        generate(SOME[0], **fields)


def test_every_shipped_theorem_has_its_proofs_and_the_last_of_a_prompt_counts():
    assert list(tactic_proofs()) == [row["statement"] for row in read_theorems()]
    assert len({problem.problem_id for problem in PROBLEMS}) == 101
    both = f"{SOME[0].question}\n{SOME[1].question}"
    assert generate(SOME[1], prompt=both, n=5).completions == generate(SOME[1], n=5).completions
    assert isinstance(TacticsEngine(TacticsConfig()), Engine)


@pytest.mark.skipif(shutil.which("coqtop") is None, reason="needs Coq (Debian: coq)")
def test_the_table_has_the_proofs_that_coq_accepts():
    """Every proof of one or two tactics of five theorems, in one process of coqtop."""
    asked = [(problem, digits) for problem in SOME for digits, _ in whole_proofs(0.5)]
    asked = [(problem, digits) for problem, digits in asked if len(digits) < MAX_TACTICS]
    for (problem, digits), is_accepted in zip(asked, accepted_by_coq(asked), strict=True):
        assert is_accepted == (digits in tactic_proofs()[statement_of(problem)]), (problem, digits)


def accepted_by_coq(asked) -> list[bool]:
    """Whether Coq says no error from the statement of each proof to its `Qed.`."""
    lines = [HEADER]
    for problem, digits in asked:
        tactics = "\n".join(TACTICS[int(digit)] for digit in digits)
        lines += ["Check (7 = 1).", f"Goal {statement_of(problem)}.", f"{tactics}\nQed."]
        lines += ["Check (7 = 2).", "Abort All."]
    done = subprocess.run(
        ["coqtop", "-q"],
        input="\n".join(lines),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=True,
    )
    said = done.stdout.split("7 = 1\n     : Prop")[1:]
    return ["Error" not in each.partition("7 = 2\n     : Prop")[0] for each in said]
