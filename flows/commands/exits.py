"""How a command ends when something is wrong: one line on standard error, and exit code 2."""

import atexit
import os
import sys
from collections.abc import Callable

from schemas.errors import StepmillError

_RESUME = "What was committed stays; the same run id with the same settings resumes the run"


def prepare_process() -> None:
    """Have this process print what the command prints and nothing else, until it exits."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_INTERNAL_LEVEL", "CRITICAL")  # it has no handler to set
    atexit.register(_silence_exit)


def run_plainly(app: Callable[[], object], *, default_root: str) -> None:
    """Run a command line; a caller's mistake or a lost server ends it with a one-line message.

    Args:
        app: the command line.
        default_root: the store if none is named.
    """
    try:
        app()
    except (StepmillError, ValueError, OSError) as error:
        _give_up(error, default_root)
    except Exception as error:
        library = type(error).__module__.split(".")[0]
        if library in (
            "httpx",
            "httpcore",
        ):  # nothing below catches errors of Prefect's own requests
            url = os.environ.get("PREFECT_API_URL")
            gone = StepmillError(f"the Prefect server at {url} is gone: {error}. {_RESUME}")
            _complain(gone, default_root)
            _exit_without_prefect()
        if library not in ("duckdb", "_duckdb"):
            raise
        _give_up(error, default_root)


def _silence_exit() -> None:
    """Close standard error: DuckDB lists open objects there while the interpreter exits."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _give_up(error: Exception, default_root: str) -> None:
    _complain(error, default_root)
    sys.exit(2)


def _exit_without_prefect() -> None:
    """Exit at once: at a usual exit Prefect would try for hours to send a run's last messages."""
    if "ray" in sys.modules:
        from tasks.engines.cluster import stop_ray

        stop_ray()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)


def _complain(error: Exception, default_root: str) -> None:
    from flows.tables.output import visible

    sys.stderr.write(f"stepmill: {visible(str(error))}{_say_remedy(error, default_root)}\n")


def _say_remedy(error: Exception, default_root: str) -> str:
    if type(error).__name__ == "CatalogException":
        return "\n`show tables` lists tables and views, `describe NAME` the columns of one"
    if "is not a store" in str(error):
        return f". A run makes one; --root or STEPMILL_ROOT names it, by default {default_root}"
    if PermissionError in (type(error), type(error.__cause__)):
        return (
            ". A run must be able to write its store, and SQL to read it: change the permissions, "
            "or give --root"
        )
    return ""
