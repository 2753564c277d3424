"""A progress bar per stage: rows, tokens, tokens a second, time left."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

_EVERY_S = 1.0
_LINE_EVERY_S = 15.0

Measure = Callable[[], tuple[int, int, int]]
"""Rows so far, rows when it is done (0 where nobody knows), and tokens so far."""


@contextlib.contextmanager
def stage_progress(stage: str, measure: Measure, *, unit: str = "rows") -> Iterator[None]:
    """Show a stage's progress while the block runs.

    Args:
        stage: what the line is called.
        measure: asked every second, from another thread.
        unit: what is counted.
    """
    start, finished = time.monotonic(), threading.Event()
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description:<14}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
    )
    is_terminal = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=not is_terminal) as bar:
        line = bar.add_task(stage, total=None, figures="starting")

        def show() -> str:
            rows, total, tokens = measure()
            seconds = time.monotonic() - start
            figures = f"{rows:,} of {total:,} {unit}" if total else f"{rows:,} {unit}"
            if tokens:
                figures += f", {tokens:,} tokens, {tokens / max(seconds, 1e-9):,.0f}/s"
            bar.update(line, total=total or None, completed=rows, figures=figures)
            return figures

        def watch() -> None:
            last_line = start
            while not finished.wait(_EVERY_S):
                figures = show()
                if not is_terminal and time.monotonic() - last_line >= _LINE_EVERY_S:
                    last_line = time.monotonic()
                    say(f"{stage}: {figures}")

        watcher = threading.Thread(target=watch, name=f"progress of {stage}", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            finished.set()
            watcher.join()
            figures = f"{show()}, {time.monotonic() - start:.0f} s"
            bar.update(line, total=1, completed=1, figures=figures)
            if not is_terminal:
                say(f"{stage}: {figures}, done")


def say(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
