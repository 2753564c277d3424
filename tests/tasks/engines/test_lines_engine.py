"""The policy of program lines: its chances against the programs that pass, run in the sandbox."""

import asyncio
from itertools import product

import pytest

from schemas.engines import GenerationRequest, LinesConfig, ScoringRequest
from schemas.errors import RequestRejected
from schemas.graders import ProgramGraderConfig
from tasks.engines.lines_engine import RIGHT_LINES, WRONG_LINES, LinesEngine, lines_problems
from tasks.graders import make_grader
from tasks.sandbox import sandbox_fault

CONFIG = LinesConfig(num_lines=2, p_right=0.7)


@pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))
def test_a_program_passes_exactly_when_the_verifier_says_so():
    (problem,) = lines_problems(1, CONFIG)
    engine, grader = LinesEngine(CONFIG), make_grader(ProgramGraderConfig(timeout_s=2))
    assert grader.check_gold(problem) is None
    num_passed = 0
    for lines in product((*RIGHT_LINES, *WRONG_LINES), repeat=2):
        steps = ("def add(x):\n", *lines, "    return x")
        request = ScoringRequest(prompt=problem.question, steps=steps)
        scored = asyncio.run(engine.score(request)).scores
        passes = grader.grade("".join(steps), problem).correct
        assert scored[0] == pytest.approx(0.49)
        assert scored[-1] == float(bool(passes))
        assert passes is not None
        num_passed += passes
    assert num_passed == len(RIGHT_LINES) ** 2


def test_whole_programs_are_written_and_other_questions_refused():
    engine = LinesEngine(CONFIG)
    (problem,) = lines_problems(1, CONFIG)
    request = GenerationRequest(prompt=problem.question, n=400, max_tokens=9, seed=1)
    texts = [each.text for each in asyncio.run(engine.generate(request)).completions]
    assert all(text.startswith("def add(x):\n") and text.endswith("    return x") for text in texts)
    share = sum(not any(line in text for line in WRONG_LINES) for text in texts) / len(texts)
    assert share == pytest.approx(0.49, abs=0.08)
    with pytest.raises(RequestRejected, match=r"expected 'Program 17\."):
        engine.begin("Walk 17.")
