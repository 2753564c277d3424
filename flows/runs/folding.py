"""Folding without being asked: after a flow, and every night while `stepmill serve` runs.

SQL over very many small files costs as much as there are files. Folding keeps every row under the
path of its unit (`storage/compaction.py`), so a run resumes as before. What stands in its way, such
as a reader that stays, is said; the next time tries again.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from flows.runs.progress import say
from schemas.errors import StoreUnusable
from storage import Store
from storage.compaction import Folding, compact
from storage.roots import LocalRoot

AFTER_RUN_FILES = 250
"""Small files in a folder of a run from which they are folded when a flow of the run completes."""
NIGHTLY_FILES = 100
"""Small files in a folder from which they are folded at night."""
_NIGHTLY_HOUR = 4
_TIMEOUT_S = 5.0
"""How long a flow that has completed waits for readers."""


def fold_after_run(store: Store, run_id: str, *, min_files: int = AFTER_RUN_FILES) -> None:
    """Fold the folders of a run that have many small files; a store on s3:// is left as it is."""
    _fold(store, run_id=run_id, min_files=min_files, timeout_s=_TIMEOUT_S)


def fold_at_night(store: Store, *, min_files: int = NIGHTLY_FILES) -> None:
    """Fold all folders of a store that have many small files."""
    _fold(store, run_id=None, min_files=min_files, timeout_s=60.0)


@contextmanager
def nightly_folding(store: Store) -> Iterator[None]:
    """Fold at four o'clock of the local time, while the block lasts."""
    ends = threading.Event()

    def wait() -> None:
        while not ends.wait(seconds_until(datetime.now().astimezone(), _NIGHTLY_HOUR)):
            fold_at_night(store)

    thread = threading.Thread(target=wait, name="nightly folding", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ends.set()


def seconds_until(now: datetime, hour: int) -> float:
    """Seconds from a time to the next full hour of this number; a day if it is that hour."""
    then = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return ((then if then > now else then + timedelta(days=1)) - now).total_seconds()


def _fold(store: Store, *, run_id: str | None, min_files: int, timeout_s: float) -> None:
    if not isinstance(store.files_root, LocalRoot):
        return
    start = time.monotonic()

    def tell(folding: Folding) -> None:
        say(
            f"{folding.folder}: {folding.files_before:,} small files are {folding.files_after:,} "
            f"({time.monotonic() - start:.0f} s)"
        )

    try:
        compact(store, run_id=run_id, min_files=min_files, timeout_s=timeout_s, on_folder=tell)
    except (StoreUnusable, OSError) as error:
        say(f"small files stay as they are: {error}")
