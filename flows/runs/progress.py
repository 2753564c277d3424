"""A stage's progress, on the terminal and in Prefect's UI: rows, tokens a second, time left.

Before the first row, what is being opened, and since when.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

_EVERY_S = 1.0
_LINE_EVERY_S = 15.0

Measure = Callable[[], tuple[int, int, int]]
"""Rows so far, total rows (0 if unknown), and tokens so far."""


class StageClock:
    """When a stage began to make rows, and what it opens before."""

    def __init__(self, stage: str, measure: Measure) -> None:
        """Begin now."""
        self._stage, self._measure = stage, measure
        self.opens: str | None = None
        """What is being opened; None while rows are made."""
        self.start, self.first_rows = time.monotonic(), measure()[0]

    @contextlib.contextmanager
    def opening(self, what: str) -> Iterator[None]:
        """Say what is being opened while the block runs; time and rates count from its end."""
        begun = time.monotonic()
        say(f"{self._stage}: opening {what}")
        self.opens = what
        try:
            yield
        finally:
            self.opens = None
        self.start, self.first_rows = time.monotonic(), self._measure()[0]
        say(f"{self._stage}: open after {self.start - begun:.0f} s")


@contextlib.contextmanager
def stage_progress(stage: str, measure: Measure, *, unit: str = "rows") -> Iterator[StageClock]:
    """Show a stage's progress while the block runs.

    Args:
        stage: the label of the line.
        measure: called every second, from another thread.
        unit: the name of the things counted.

    Yields:
        The stage's clock, for what is opened before the first row.
    """
    # Imported late: the command line uses this module before Prefect may be imported.
    from flows.pages.artifacts import ProgressArtifact, to_key

    finished = threading.Event()
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description:<14}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
    )
    is_terminal = sys.stderr.isatty()
    artifact = ProgressArtifact(to_key("progress", stage), "starting")
    with Progress(*columns, console=Console(stderr=True), disable=not is_terminal) as bar:
        line = bar.add_task(stage, total=None, figures="starting")
        clock = StageClock(stage, measure)

        def look() -> _Figures:
            rows, total, tokens = measure()
            seconds = time.monotonic() - clock.start
            figures = _Figures(rows, total, tokens, rows - clock.first_rows, seconds, unit)
            words = figures.words() if clock.opens is None else f"opening {clock.opens}"
            bar.update(line, total=total or None, completed=rows, figures=words)
            return figures

        def watch() -> None:
            last_line = clock.start
            while not finished.wait(_EVERY_S):
                opens, figures = clock.opens, look()
                words, page = figures.line_words(), figures.page_words()
                if opens is not None:
                    since = clock_words(figures.seconds)
                    words = page = f"opening {opens}, since {since}"
                artifact.show(figures.share, page)
                if not is_terminal and time.monotonic() - last_line >= _LINE_EVERY_S:
                    last_line = time.monotonic()
                    say(f"{stage}: {words}")

        def end(outcome: str) -> None:
            finished.set()
            watcher.join()
            figures = look()
            words = f"{figures.words()}, {figures.seconds:.0f} s"
            bar.update(line, total=1, completed=1, figures=words)
            share = 1.0 if outcome == "done" else figures.share
            artifact.show(share, figures.page_words(outcome))
            artifact.close()
            if not is_terminal:
                say(f"{stage}: {words}, {outcome}")

        # The context says which Prefect run this is.
        context, name = copy_context(), f"progress of {stage}"
        watcher = threading.Thread(target=context.run, args=[watch], name=name, daemon=True)
        watcher.start()
        try:
            yield clock
        except BaseException:
            end("stopped")
            raise
        end("done")


@dataclass(frozen=True, slots=True)
class _Figures:
    """The figures of a stage in progress."""

    rows: int
    total: int
    tokens: int
    new_rows: int
    """Rows made since the stage began or resumed."""
    seconds: float
    unit: str

    @property
    def share(self) -> float:
        """The share that is done, in [0, 1]; 0 if the total is unknown."""
        return min(self.rows / self.total, 1.0) if self.total else 0.0

    def words(self) -> str:
        """The figures for a line of the terminal, which also shows the time left."""
        rows = f"{self._rows_words()} {self.unit}"
        if not self.tokens:
            return rows
        return f"{rows}, {self.tokens:,} tokens, {self._tokens_per_s():,.0f}/s"

    def line_words(self) -> str:
        """The figures for a line of a log, with the time left."""
        left = self._left_words()
        return f"{self.words()}, {left}" if left else self.words()

    def page_words(self, outcome: str | None = None) -> str:
        """The figures for the UI; lists show only the first line, of at most 40 characters."""
        first = [f"{self._rows_words()} {self.unit}"]
        if outcome is not None:
            first.append(f"{outcome} in {clock_words(self.seconds)}")
        elif left := self._left_words():
            first.append(left)
        second = f"{self.new_rows:,} {self.unit} in {clock_words(self.seconds)} of this run"
        if self.tokens:
            second += f", {self.tokens:,} tokens, {self._tokens_per_s():,.0f} tokens/s"
        return f"{', '.join(first)}\n\n{second}"

    def _rows_words(self) -> str:
        return f"{self.rows:,} of {self.total:,}" if self.total else f"{self.rows:,}"

    def _left_words(self) -> str:
        """The time left at the rate of this run; empty if it cannot be told."""
        if not (self.new_rows and self.total):
            return ""
        left_s = max(self.total - self.rows, 0) * self.seconds / self.new_rows
        return f"{clock_words(left_s)} left"

    def _tokens_per_s(self) -> float:
        return self.tokens / max(self.seconds, 1e-9)


def clock_words(seconds: float) -> str:
    """A duration as minutes and seconds, with hours if it is that long."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextlib.contextmanager
def training_progress(title: str) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """Show a training's progress while the block runs.

    Yields:
        A function for the training's reports; it shows `step`, `num_steps` and `tokens`.
    """
    figures: dict[str, float] = {}

    def measure() -> tuple[int, int, int]:
        step, num_steps, tokens = (figures.get(k, 0) for k in ("step", "num_steps", "tokens"))
        return int(step), int(num_steps), int(tokens)

    with stage_progress(title, measure, unit="steps"):
        yield figures.update


def say_stage(number: int, of: int, name: str) -> None:
    """Say which stage of a line begins, as in `stage 2 of 6: step labels`."""
    say(f"stage {number} of {of}: {name}")


def say(text: str) -> None:
    """One line on standard error, and in the log of the current Prefect run."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
    if "prefect" in sys.modules:  # until then no run exists, and Prefect is not set up
        from prefect.exceptions import MissingContextError
        from prefect.logging import get_run_logger

        with contextlib.suppress(MissingContextError):
            get_run_logger().info(text)
