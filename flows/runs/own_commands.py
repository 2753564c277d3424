"""Commands as they are printed for the reader to run next: they must run where they are printed."""

import shlex
import shutil
import sys
from pathlib import Path

_NAME = "stepmill"


def as_typed(command: str) -> str:
    """A command that begins with `stepmill`, by the path of the script if a shell has no such name.

    `make run` calls the script of `.venv`, which is on nobody's path until it is activated.
    """
    name, space, rest = command.partition(" ")
    return f"{_own_name()}{space}{rest}" if name == _NAME else command


def _own_name() -> str:
    script = Path(sys.executable).parent / _NAME
    found = shutil.which(_NAME)
    if not script.exists() or (found is not None and Path(found).samefile(script)):
        return _NAME
    here = Path.cwd()
    shown = script.relative_to(here) if script.is_relative_to(here) else script
    return shlex.quote(str(shown))
