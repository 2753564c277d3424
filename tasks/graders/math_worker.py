"""The script that runs Math-Verify: one JSON request a line in, one JSON reply a line out.

Run as `python -P math_worker.py <processor seconds> <memory bytes>`. It imports nothing else from
the package, so that it starts in the same way from any program, thread or Ray actor.

A supervisor loads the library once and forks a child that answers. The kernel ends a child whose
request takes too much processor time, whatever C code it hangs in; the supervisor reports this and
forks the next child, which takes milliseconds. The limit is on processor time so that an answer
gets the same verdict on a busy machine. Everything ends when its input closes.

Two answers are equal if Math-Verify says so in either order: it is not symmetric (it follows the
form of the answer that it is given as gold). It also rounds to six decimals where one side is a
decimal, so that 0.0000001 would equal pi divided by ten million. Hence the values are compared
first, of expressions with variables at one point: if they differ by more than a millionth of their
size (by 1e-12 of it, if no decimal is involved), the answers are different, and Math-Verify, which
would try to simplify their difference, is not called. Equations are checked in a similar way.
"""

import json
import mmap
import os
import resource
import signal
import struct
import sys
import zlib
from functools import lru_cache
from typing import Any

_DECIMAL_TOLERANCE = 1e-6
_EXACT_TOLERANCE = 1e-12
_EVALUATION_DIGITS = 30
_NOT_BUSY = 0
_WARM_UP = ["\\frac{x}{2}", "0.5x"]


def main() -> None:
    """Fork answering children until the input closes."""
    processor_s, memory_bytes = float(sys.argv[1]), int(sys.argv[2])
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        reply_to(_WARM_UP)
    except ImportError as error:
        _write(output, {"id": _NOT_BUSY, "error": repr(error)})
        return
    _write(output, {"id": _NOT_BUSY})
    busy_with = mmap.mmap(-1, struct.calcsize("q"))
    while True:
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            _answer_requests(output, busy_with, processor_s)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            return
        (request_id,) = struct.unpack("q", busy_with[:])
        if request_id != _NOT_BUSY:
            busy_with[:] = struct.pack("q", _NOT_BUSY)
            _write(output, {"id": request_id, "ended_by": os.WTERMSIG(status)})


def reply_to(answers: list[str]) -> dict[str, Any]:
    """Parse one or two answers and compare two; a single one is evaluated, to test its cost."""
    parsed = [_parse(answer) for answer in answers]
    reply: dict[str, Any] = {"parsed": [bool(exprs) for exprs in parsed], "equal": False}
    try:
        if len(parsed) == 2 and all(parsed):
            reply["equal"] = _equal(parsed[0], parsed[1])
        elif all(parsed):
            _evaluate(parsed[0][0])
    except (MemoryError, RecursionError):
        reply["equal"] = None
    return reply


def _answer_requests(output: int, busy_with: mmap.mmap, processor_s: float) -> None:
    pending = b""
    while True:
        # Byte by byte buffering of our own: what a buffered reader holds would die with a child.
        while b"\n" not in pending:
            received = os.read(0, 65536)
            if not received:
                return
            pending += received
        line, _, pending = pending.partition(b"\n")
        request = json.loads(line)
        busy_with[:] = struct.pack("q", request["id"])
        signal.setitimer(signal.ITIMER_PROF, processor_s)  # unhandled: the kernel ends the process
        reply = reply_to(request["answers"])
        signal.setitimer(signal.ITIMER_PROF, 0)
        busy_with[:] = struct.pack("q", _NOT_BUSY)
        _write(output, {"id": request["id"], **reply})


def _write(output: int, reply: dict[str, Any]) -> None:
    os.write(output, json.dumps(reply).encode() + b"\n")


@lru_cache(maxsize=1024)
def _parse(latex: str) -> list[Any]:
    """The expression as a list of one, or an empty list."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse

    return parse(
        f"${latex}$",
        # The normal form handles units, braces and broken commands: this library takes the last
        # letter of `5t` for tons and the root of `\\sqrt12` for that of 1.
        [
            LatexExtractionConfig(
                boxed_match_priority=-1,
                normalization_config=NormalizationConfig(boxed="none"),
            )
        ],
        # The whole answer or nothing: a number found inside a broken answer is not the answer.
        fallback_mode="no_fallback",
        extraction_mode="first_match",
        parsing_timeout=None,  # pyright: ignore[reportArgumentType] - None is its "no limit"
    )


def _equal(a: list[Any], b: list[Any]) -> bool:
    from math_verify import verify

    if any(differ(a[0], b[0]) for differ in (_differ_in_size, _differ_in_value, _differ_in_roots)):
        return False
    for gold, answer in ((a, b), (b, a)):
        try:
            if verify(gold, answer, timeout_seconds=None, raise_on_error=True):
                return True
        except (MemoryError, RecursionError):
            raise
        except Exception:  # the library raises it if two expressions cannot be compared
            continue
    return False


def _differ_in_size(a: Any, b: Any) -> bool:
    """Whether one is a single value and the other a set of several; set algebra takes long."""
    from sympy import Expr, FiniteSet, Interval, Union

    if isinstance(b, Expr):
        a, b = b, a
    if not isinstance(a, Expr):
        return False
    return isinstance(b, Interval | Union) or (isinstance(b, FiniteSet) and len(b) > 1)


def _differ_in_value(a: Any, b: Any) -> bool:
    """Whether both are finite expressions too far apart to be equal."""
    from sympy import Float, Symbol

    if isinstance(a, Symbol) or isinstance(b, Symbol):
        return False  # `e` is also a number, and `ab` also a product
    left, right = _evaluate(a), _evaluate(b)
    if left is None or right is None:
        return False
    is_decimal = a.has(Float) or b.has(Float)
    tolerance = _DECIMAL_TOLERANCE if is_decimal else _EXACT_TOLERANCE
    return bool(abs(left - right) > tolerance * max(abs(left), abs(right)))


def _differ_in_roots(a: Any, b: Any) -> bool:
    """Whether both are equations, neither a multiple of the other, and one has no real solution.

    Math-Verify compares equations by their real solutions, and so would take any two equations
    without one for equal. An equation without variables states the value on its right side.
    """
    from sympy import Equality, Symbol, solve

    if not (isinstance(a, Equality) and isinstance(b, Equality)):
        return False
    if not a.free_symbols and not b.free_symbols:
        return _differ_in_value(a.rhs, b.rhs)
    if isinstance(a.lhs, Symbol) or isinstance(b.lhs, Symbol):
        return False
    left: Any = a.lhs
    right: Any = b.lhs
    left, right = left - a.rhs, right - b.rhs
    if a.free_symbols == b.free_symbols and (left / right).simplify().is_number:
        return False
    return not all(solve(equation, equation.free_symbols) for equation in (a, b))


def _evaluate(expr: Any) -> Any:
    """Value of an expression as a finite real sympy number, or None.

    A variable's value follows from its name, so that two expressions meet at the same point.
    """
    from sympy import Expr, Rational, Symbol

    if not isinstance(expr, Expr):
        return None
    point: dict[Any, Any] = {
        symbol: Rational(1, 3) + Rational(zlib.crc32(symbol.name.encode()), 2**32)
        for symbol in expr.free_symbols
        if isinstance(symbol, Symbol)
    }
    try:
        value = expr.subs(point).doit().evalf(_EVALUATION_DIGITS)
        return value if value.is_number and value.is_finite and value.is_real else None
    except (MemoryError, RecursionError):
        raise
    except Exception:  # undefined there, or the algebra system cannot evaluate it
        return None


if __name__ == "__main__":
    main()
