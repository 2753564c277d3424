"""A program of a solution, as a text that the sandbox runs, and its outcome as the policy sees it.

Blocks of one solution share their names, as cells of a notebook do: those before the last one run
again, in silence, and their errors, which were shown before, are passed over. As in a notebook, the
value of a last line that is an expression is printed if nothing else was.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from schemas.tools import ToolsConfig
from tasks.tools.blocks import last_lines, shorten

_TRACEBACK_LINES = 4

_DRIVER = """\
import ast, contextlib, io, sys, traceback

def run(code, names, echo):
    tree = ast.parse(code, "<program>")
    last = None
    if echo and tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "<program>", "exec"), names)
    return None if last is None else eval(compile(last, "<program>", "eval"), names)

class Told(io.TextIOBase):
    def __init__(self, stream):
        self.stream, self.is_used = stream, False
    def write(self, text):
        self.is_used = True
        return self.stream.write(text)
    def flush(self):
        self.stream.flush()

names = {"__name__": "__main__"}
*before, last = BLOCKS
for code in before:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            run(code, names, False)
        except BaseException:
            pass
sys.stdout = Told(sys.__stdout__)
try:
    value = run(last, names, True)
    if value is not None and not sys.stdout.is_used:
        print(repr(value))
except SystemExit:
    pass
except BaseException as error:
    sys.stdout.flush()
    lines = traceback.format_exception(error)
    frames = [e for e in traceback.extract_tb(error.__traceback__) if e.filename == "<program>"]
    head = ["Traceback (most recent call last):\\n"] if frames else []
    shown = [f'  File "<program>", line {e.lineno}, in {e.name}\\n' for e in frames[-2:]]
    words = traceback.format_exception_only(error)
    sys.stderr.write("".join([*head, *shown, *words]))
    sys.stderr.flush()
    sys.exit(1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRun:
    """How a program ended."""

    stdout: str = ""
    stderr: str = ""
    outcome: str = "exited"
    """`exited`, or the limit that ended it, such as `timeout` or `memory`."""
    fault: str | None = None
    """Why it could not be run at all; None if it ran."""


RunProgram = Callable[[str], Awaitable[ProgramRun]]
"""Runs one Python text in the sandbox."""


def program_text(programs: Sequence[str]) -> str:
    """The Python text that runs the programs of a solution and prints what the last one prints."""
    return f"BLOCKS = {list(programs)!r}\n{_DRIVER}"


def printed(run: ProgramRun, config: ToolsConfig) -> str:
    """What a policy is shown of a program's end: its output, the end of its traceback, its limit.

    At most `max_output_chars` characters in all, up to a mark.
    """
    words = []
    if run.outcome != "exited":
        words.append(_LIMITS.get(run.outcome, f"Error: {run.outcome}").format(config=config))
    elif run.stderr.strip():
        words.append(last_lines(run.stderr, _TRACEBACK_LINES))
    half = config.max_output_chars // 2 if words else config.max_output_chars
    told = [shorten(word, config.max_output_chars - half, keep="end") for word in words]
    shown = shorten(run.stdout.rstrip(), half)
    return "\n".join(filter(None, [shown, *told])) or "(no output)"


_LIMITS = {
    "timeout": "TimeoutError: the program took more than {config.timeout_s:g} seconds",
    "memory": "MemoryError: the program took more than {config.memory_mb} MB",
    "output": "Error: the program printed too much and was ended",
}
