"""Solutions that run programs: which code blocks are run, and within which limits."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import FrozenConfig

Language = Annotated[str, Field(pattern=r"^[A-Za-z0-9+-]+$")]

OUTPUT_LABEL = "output"
"""The word behind the fence of a block that holds what a program printed."""


class ToolsConfig(FrozenConfig):
    """Tool-integrated reasoning (ToRA, arXiv:2309.17452): code blocks of a solution are run.

    At the end of a fenced block of code the program runs in the sandbox, and what it prints
    follows in the solution as a block of its own, after which the policy goes on.
    """

    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("python", "py", "python3")
    """Words behind the fence of a block that is run as Python; other blocks are text."""
    runs: Literal["all", "last"] = "all"
    """What a program is: `all` blocks of the solution so far, of which only the last one's output
    is shown, so that names stay defined; or the `last` block alone."""
    max_calls: Annotated[int, Field(ge=1)] = 4
    """Programs of a solution that are run; the blocks behind them are text."""
    timeout_s: Annotated[float, Field(gt=0)] = 5.0
    """Seconds that a program may take."""
    memory_mb: Annotated[int, Field(ge=32)] = 512
    """Memory that a program may take."""
    max_output_chars: Annotated[int, Field(ge=80)] = 800
    """Characters of an output; of a longer one the beginning is kept, with a mark, and of a
    traceback the end."""
