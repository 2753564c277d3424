"""The tests of a problem, from the columns of the public sets that carry tests.

HumanEval and HumanEval+ (`test`, `entry_point`), MBPP and MBPP+ (`test_list`, or `test`), APPS
(`inputs`, `outputs`, `fn_name`, by themselves or in `input_output`), LiveCodeBench
(`public_test_cases` and `private_test_cases` with `testtype`, `func_name` in `metadata`), a list of
asserts, and a list of `{input, output}`. LiveCodeBench packs private tests as a pickle of one text,
in zlib and base64; nothing but a text is unpickled.

As in the evaluations of APPS and LiveCodeBench, programs of contests find common modules imported
(numpy apart, since the sandbox has no packages), and JSON's keys of dicts are numbers again.
"""

import base64
import io
import json
import pickle
import zlib
from dataclasses import dataclass, replace
from typing import Any

from schemas.rows import Problem

_EXPECTED = (
    "expected tests: test and entry_point, test_list, inputs and outputs, public_test_cases, or a "
    "list of asserts or of {input, output}"
)

_MAX_TESTS_BYTES = 256 << 20
_MODULES = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random"),
    *("statistics", "itertools", "functools", "operator", "io", "sys", "json"),
)
_CONTEST = "; ".join(
    (
        *(f"from {name} import *" for name in (*_MODULES, "builtins", "typing")),
        *(f"import {name}" for name in (*_MODULES, "fractions", "time")),
    )
)
"""What programs of contests may use without importing it, as LiveCodeBench and APPS run them."""
_APPS_TOLERANCE = 1e-5
"""That of `numpy.allclose`."""


@dataclass(frozen=True, slots=True)
class ProgramCheck:
    """Tests of a program: Python code, or texts for stdin and what must be printed."""

    tests: str = ""
    """Code with asserts; empty for tests by stdin."""
    entry: str = ""
    """The function that the program must define; empty if the tests name what they use."""
    preamble: str = ""
    """Code that runs before the program: imports, helpers and the function without a body, as the
    question has them; it may be prose."""
    examples: tuple[tuple[str, str], ...] = ()
    """Texts for stdin, and what must be printed."""
    tolerance: float = 0.0
    """How far, of itself, a printed number with a fraction may be from what is expected."""


def read_check(problem: Problem) -> ProgramCheck:
    """The tests of a problem.

    Raises:
        ValueError: it has none, or they are in no known form.
    """
    if problem.check is None:
        raise ValueError("expected a problem with tests, got one without a check")
    try:
        check = _read(json.loads(problem.check), problem.question)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{_EXPECTED}; got {problem.check[:80]} ({error!r})") from error
    if not check.tests.strip() and not check.examples:
        raise ValueError(f"{_EXPECTED}; got {problem.check[:80]}")
    return check


def _read(check: Any, question: str) -> ProgramCheck:
    if isinstance(check, list):
        is_code = all(isinstance(each, str) for each in check)
        return ProgramCheck("\n".join(check)) if is_code else _examples(check, "")
    if "input_output" in check:
        return _read(_parsed(check["input_output"]), question)
    if "inputs" in check:
        pairs = zip(_parsed(check["inputs"]), _parsed(check["outputs"]), strict=True)
        entry = check.get("fn_name") or ""
        if entry:
            return _calls([(list(args), expected) for args, expected in pairs], entry, True)
        cases = [{"input": given, "output": out} for given, out in pairs]
        return replace(_examples(cases, ""), tolerance=_APPS_TOLERANCE)
    if "public_test_cases" in check:
        metadata = _parsed(check.get("metadata") or "{}")
        entry = metadata.get("func_name") or check.get("func_name") or ""
        private = check.get("private_test_cases")
        cases = [*_parsed(check["public_test_cases"]), *(_unpacked(private) if private else ())]
        return _examples(cases, entry)
    setup = check.get("test_setup_code") or "\n".join(check.get("test_imports") or ())
    if check.get("test"):
        entry = check.get("entry_point") or ""
        call = f"check({entry})"
        is_called = not entry or "def check(" not in check["test"] or call in check["test"]
        end = "\n" if is_called else f"\n\n{call}\n"
        preamble = f"{check.get('prompt') or question}\n    pass\n"
        return ProgramCheck(f"{setup}\n{check['test']}{end}", entry, preamble)
    lists = (check.get("test_list") or (), check.get("challenge_test_list") or ())
    tests = [test for each in lists for test in _parsed(each)]
    return ProgramCheck("\n".join([setup, *tests]) if tests else "")


def _examples(cases: list[dict[str, Any]], entry: str) -> ProgramCheck:
    if entry:
        read = [
            (
                [json.loads(line) for line in case["input"].split("\n") if line.strip()],
                json.loads(case["output"]),
            )
            for case in cases
        ]
        return _calls(read, entry, False)
    examples = tuple((_text(case["input"]), _text(case["output"])) for case in cases)
    return ProgramCheck(preamble=_CONTEST, examples=examples)


def _calls(cases: list[tuple[list, Any]], entry: str, is_wrapped: bool) -> ProgramCheck:
    """Calls with what they must return; APPS has some of it in a list of one, and no tuples."""
    lines = [
        "def _plain(v):",
        "    return [_plain(i) for i in v] if isinstance(v, (list, tuple)) else v",
    ]
    for args, expected in cases:
        if is_wrapped and args and isinstance(args[0], dict):
            args[0] = _with_numbers(args[0])
        ways = [_with_numbers(expected)]
        if is_wrapped and isinstance(expected, list) and len(expected) == 1:
            ways.append(_with_numbers(expected[0]))
        lines.append(f"assert _plain({entry}(*{args!r})) in {ways!r}")
    return ProgramCheck("\n".join(lines) if cases else "", entry, _CONTEST)


def _with_numbers(value: Any) -> Any:
    """A dict whose keys are all numbers, written as texts, with numbers; else the value."""
    if not isinstance(value, dict):
        return value
    try:
        return {int(key): item for key, item in value.items()}
    except ValueError:
        return value


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


class _TextsAlone(pickle.Unpickler):
    """Unpickles texts and numbers; whatever needs a class or function is refused."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise ValueError(f"expected tests as text, got a pickle of {module_name}.{global_name}")


def _unpacked(value: Any) -> list[dict[str, Any]]:
    """The private tests, packed or as JSON."""
    if not isinstance(value, str) or value.lstrip().startswith("["):
        return _parsed(value)
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(base64.b64decode(value, validate=True), _MAX_TESTS_BYTES)
        if unpacker.unconsumed_tail:
            raise ValueError(f"expected at most {_MAX_TESTS_BYTES >> 20} MiB of private tests")
        return _parsed(_TextsAlone(io.BytesIO(data)).load())
    except (ValueError, zlib.error, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"private_test_cases: {error}") from error


def _text(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)
