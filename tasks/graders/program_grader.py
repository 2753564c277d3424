"""Programs by unit tests, run in the sandbox (METHODS of HumanEval, arXiv:2107.03374).

Tests of functions run in one sandbox and the program in another; only arguments and plain values
pass between them (`tasks/graders/inside`). Tests by stdin run the program once each and compare
what it prints. A problem whose tests fail on its own reference solution grades nothing.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
import subprocess
import threading
from pathlib import Path
from typing import ClassVar, get_args

from schemas.graders import ProgramGraderConfig
from schemas.rows import CheckResult, CheckStatus, Problem
from tasks.graders.base import Grade, Incomparable
from tasks.graders.program_checks import ProgramCheck, read_check
from tasks.graders.program_code import find_program
from tasks.graders.program_output import agree, lines_of
from tasks.sandbox import Limits, run_python, sandbox_fault, start_script

_RULES = 3
"""Counts up when the same text may get another verdict."""
_UNGRADED = ("bad_check", "sandbox_down", "undecided")
_JUDGE_MB = 1024
_MAX_CODE = 200_000
_END_S = 2.0
_HARNESS = "/harness/tasks/graders/inside"
_INSIDE = Path(__file__).with_name("inside")
_FUTURE = re.compile(r"^from __future__ ", re.MULTILINE)
_Ran = tuple[CheckResult, str | None]
"""How a program did in its tests, and the digest of its behaviour if it ended by itself."""


class _SandboxDown(Exception):
    """Nothing could be run, so nothing was found out."""


class ProgramGrader(Incomparable):
    """Runs the program of a text against its problem's tests."""

    kind: ClassVar[str] = "program"
    """What the name begins with."""

    def __init__(self, config: ProgramGraderConfig) -> None:
        """Prepare; nothing is started before the first text."""
        self._limits = Limits(
            cpu_s=config.timeout_s,
            memory_mb=config.memory_mb,
            num_processes=config.num_processes,
        )
        self._slots = threading.BoundedSemaphore(config.num_sandboxes)
        self._faults: dict[tuple[str, str | None, str], str | None] = {}
        self.name = f"{self.kind}-{_RULES}+{config.timeout_s}s+{config.memory_mb}mb"

    def grade(self, text: str, problem: Problem) -> Grade:
        """Run the program of a text; ungraded if the problem's tests cannot be used."""
        program, result, _ = self.run(text, problem)
        return Grade(program, self.decide(result), result)

    def run(self, text: str, problem: Problem) -> tuple[str | None, CheckResult, str | None]:
        """The program of a text, how it did, and the digest of its behaviour if it ended."""
        if (fault := self.check_gold(problem)) is not None:
            return None, CheckResult(status="bad_check", message=fault[:500]), None
        check = read_check(problem)
        program = find_program(text, check.entry, check.preamble)
        if program is None:
            return None, CheckResult(status="missing", message="no program"), None
        return program, *self._run(program, check)

    def decide(self, result: CheckResult) -> bool | None:
        """Whether a program that did so is right; None if that was not found out."""
        return None if result.status in _UNGRADED else result.status == "passed"

    def check_gold(self, problem: Problem) -> str | None:
        """Refuse a problem without tests, or whose tests fail on its reference solution."""
        key = (problem.question, problem.solution, problem.check or "")
        if key in self._faults:
            return self._faults[key]
        try:
            self._faults[key] = self._find_fault(problem)
        except _SandboxDown:
            return None
        return self._faults[key]

    def close(self) -> None:
        """Nothing stays running."""

    def _find_fault(self, problem: Problem) -> str | None:
        try:
            check = read_check(problem)
        except ValueError as error:
            return str(error)
        if not problem.solution:
            return None
        program = find_program(problem.solution, check.entry, check.preamble)
        result = None if program is None else self._run(program, check)[0]
        if result is not None and result.status == "sandbox_down":
            raise _SandboxDown
        if result is None or result.status == "passed":
            return None
        return (
            f"expected tests that its reference solution passes, got {result.status}, "
            f"{result.num_passed} of {result.num_checks} passed: {result.message}"
        )

    def _run(self, program: str, check: ProgramCheck) -> _Ran:
        if len(program) > _MAX_CODE:
            return _ended("output", f"more than {_MAX_CODE} characters of code")
        if (fault := sandbox_fault()) is not None:
            return _ended("sandbox_down", fault[:500])
        with self._slots:
            try:
                if check.examples:
                    return _run_examples(program, check, self._limits)
                return _run_tests(program, check, self._limits)
            except OSError as error:
                return _ended("sandbox_down", str(error)[:500])


def _run_examples(program: str, check: ProgramCheck, limits: Limits) -> _Ran:
    outcomes: list[str] = []
    message: str | None = None
    printed: list[list[str] | None] = []
    if not _FUTURE.search(program):
        program = f"{check.preamble}\n{program}"
    for given, expected in check.examples:
        done = run_python(program, stdin=given, limits=limits)
        outcome: str = done.outcome
        if outcome == "exited":
            lines = lines_of(done.stdout.decode(errors="replace")) if done.exit_code == 0 else None
            printed.append(lines)
            is_right = lines is not None and agree(lines, lines_of(expected), check.tolerance)
            outcome = "passed" if is_right else "failed"
            if b"SyntaxError" in done.stderr[-400:] and not outcomes:
                outcome = "compile_error"
        outcomes.append(outcome)
        if outcome != "passed" and message is None:
            message = done.stderr.decode(errors="replace").strip()[-500:] or None
        if outcome not in ("passed", "failed"):
            break
    outcomes += ["not_run"] * (len(check.examples) - len(outcomes))
    bad = [each for each in outcomes if each not in ("passed", "not_run")]
    result = _to_result(bad[-1] if bad else "passed", outcomes, message)
    if len(printed) < len(check.examples) or not any(lines is not None for lines in printed):
        return result, None
    return result, hashlib.sha256(json.dumps(printed).encode()).hexdigest()[:16]


def _run_tests(program: str, check: ProgramCheck, limits: Limits) -> _Ran:
    job = {
        "source": program,
        "preamble": check.preamble,
        "entry": check.entry,
        "tests": check.tests,
        "seconds": limits.deadline_s,
    }
    to_program, to_judge = os.pipe(), os.pipe()
    ends = {*to_program, *to_judge}
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [os.close(each) for each in ends])
        theirs = start_script(
            "",
            files=_harness("program"),
            limits=limits,
            stdin=to_program[0],
            stdout=to_judge[1],
            stderr=subprocess.DEVNULL,
        )
        stack.callback(theirs.close)
        ours = start_script(
            json.dumps(job),
            files=_harness("judge"),
            limits=Limits(
                cpu_s=limits.cpu_s + 4,
                wall_s=limits.deadline_s + 5,
                memory_mb=_JUDGE_MB,
                output_bytes=4 << 20,
            ),
            stdin=to_judge[0],
            stdout=to_program[1],
            with_packages=True,
        )
        stack.callback(ours.close)
        while ends:
            os.close(ends.pop())
        done = ours.communicate()
        if done.outcome == "timeout":
            return _ended("timeout", "the tests did not end")
        try:
            said = json.loads(done.stderr)
        except ValueError:
            reason = done.stderr.decode(errors="replace")[-300:]
            return _ended("sandbox_down", f"no verdict: {reason}")
        status = said["status"]
        if status == "ended":
            status = _how_it_ended(theirs)
            said["message"] = said["message"] or "the program ended before its tests"
        return _to_result(status, said["outcomes"], said["message"]), said.get("behaviour")


def _how_it_ended(running) -> str:
    """Why a program that answers no more is gone."""
    running.wait(_END_S)
    running.kill()
    code = running.exit_code
    if code is None and not running.was_started:
        return "sandbox_down"
    return "timeout" if code in (128 + 24, 128 + 9) else "failed"


def _ended(status: CheckStatus, message: str) -> _Ran:
    return CheckResult(status=status, message=message), None


def _to_result(status: str, outcomes: list[str], message: str | None) -> CheckResult:
    assert status in get_args(CheckStatus), status
    num_passed = outcomes.count("passed")
    return CheckResult(
        status=status,  # pyright: ignore[reportArgumentType]
        num_passed=num_passed,
        num_checks=len(outcomes),
        outcomes=tuple(outcomes),
        message=None if message is None else message.encode(errors="replace").decode()[:500],
    )


@functools.cache
def _harness(side: str) -> dict[str, str]:
    return {
        f"{_HARNESS}/{name}.py": (_INSIDE / f"{name}.py").read_text() for name in (side, "codec")
    }
