"""What `stepmill doctor` checks in a store: that it is whole and can keep the commit rule."""

import functools
from collections.abc import Callable, Iterable, Mapping

from flows.commands.checks.findings import Finding, State
from schemas.errors import StoreUnusable
from schemas.rows import SCHEMA_VERSION
from storage import Store, connect
from storage.compaction import SMALL_BYTES
from storage.inspection import Inspection, has_locks, leftovers, probe
from storage.queries import ask
from storage.roots import LocalRoot

_MANY_FILES = 1000
_OLD_S = 3600.0


def open_store(root: str) -> tuple[Store | None, Finding]:
    """The store at this root, None if it cannot be used, and what was found."""
    try:
        store = Store(root, create=False)
    except StoreUnusable as error:
        is_missing = "is not a store" in str(error)
        return None, Finding(
            check="store",
            state="warning" if is_missing else "problem",
            found=str(error),
            advice="`stepmill run` makes one; or give another --root" if is_missing else "",
        )
    found = f"{store.url}, schema version {store.schema_version} ({SCHEMA_VERSION} is the newest)"
    return store, Finding(check="store", found=found)


def store_checks(store: Store, inspection: Inspection) -> list[Callable[[], Iterable[Finding]]]:
    """The checks of a store that was inspected."""
    return [
        functools.partial(check_place, store),
        functools.partial(check_files, inspection),
        functools.partial(check_sizes, inspection),
        functools.partial(check_leftovers, store),
        functools.partial(check_rows, store),
    ]


def check_place(store: Store) -> Iterable[Finding]:
    """Whether files can be written there, once each, and locked."""
    try:
        probe(store.files_root)
    except StoreUnusable as error:
        yield Finding(check="place", state="problem", found=str(error))
    except OSError as error:
        yield Finding(
            check="place",
            state="problem",
            found=f"{store.url} cannot be written: {error}",
            advice="runs need that; SQL over it works all the same",
        )
    else:
        yield Finding(check="place", found="it can be written, and keeps the first file of a name")
        if isinstance(store.files_root, LocalRoot) and not has_locks(
            store.files_root.scratch_parent()
        ):
            yield Finding(
                check="place",
                state="warning",
                found="its file system has no locks",
                advice="`stepmill compact` works with --to only",
            )


def check_files(inspection: Inspection) -> Iterable[Finding]:
    """Files that SQL leaves out, and files in places where no unit writes."""
    yield _named(
        "unusable files",
        inspection.unusable,
        "problem",
        "`stepmill doctor --repair` moves them away; a run with their run id makes them again",
    )
    yield _named("newer files", inspection.newer, "problem", "use a newer stepmill")
    yield _named(
        "unmarked files",
        inspection.unmarked,
        "warning",
        "SQL reads them; if they are not yours, move them out of the store",
    )
    yield _named(
        "misnamed files",
        inspection.misnamed,
        "warning",
        "SQL reads them and no stage does: rename them, or move them out of the store",
    )
    yield _named(
        "foreign files",
        inspection.foreign,
        "warning",
        "stepmill passes them over, other tools may not: move them out of the table's folder",
    )


def check_sizes(inspection: Inspection) -> Iterable[Finding]:
    """The number of files; many small ones make SQL slow."""
    small = {
        name: f"{num:,} files of {inspection.num_bytes[name] / num / 1000:,.0f} kB on average"
        for name, num in inspection.num_files.items()
        if num >= _MANY_FILES and inspection.num_bytes[name] < num * SMALL_BYTES
    }
    if small:
        yield _named("small files", small, "warning", "`stepmill compact` folds them into few")
    num_files, num_bytes = sum(inspection.num_files.values()), sum(inspection.num_bytes.values())
    yield Finding(check="files", found=f"{num_files:,} files, {num_bytes / 1e6:,.1f} MB")


def check_leftovers(store: Store) -> Iterable[Finding]:
    """Unfinished files that killed processes left."""
    there = leftovers(store.files_root)
    old = {
        left.path: f"{left.num_bytes:,} bytes, {left.age_s / 3600:.1f} hours old"
        for left in there
        if left.age_s >= _OLD_S
    }
    yield _named(
        "leftovers", old, "warning", "removed after a day; delete them yourself if nothing runs"
    )


def check_rows(store: Store) -> Iterable[Finding]:
    """What the rows say: runs without an end, units that failed, and duplicate ids."""
    connection = connect(store.url)
    names = {
        " ".join(filter(None, (run["run_id"], run["flow"], run["part"]))): (
            run["state"],
            f"{run['state']}, began {run['started_at']:%F %T} UTC",
        )
        for run in ask(connection, "run_states")
    }
    yield _named(
        "runs without an end",
        {name: text for name, (state, text) in names.items() if state == "started"},
        "warning",
        "running, or killed: `stepmill run FLOW --run-id RUN` with the same config resumes it",
    )
    yield _named(
        "failed runs",
        {name: text for name, (state, text) in names.items() if state == "failed"},
        "warning",
        '`stepmill sql "select * from run_state"` has the error',
    )
    yield _named(
        "quarantined units",
        {
            row["unit"]: f"{row['error_type']}: {row['message']} ({row['num_failures']} times)"
            for row in ask(connection, "quarantined_units")
        },
        "warning",
        "a run with the same run id tries them again",
    )
    yield _named(
        "duplicate ids",
        {
            f"{row['run_id']} {row['trajectory_id']}": f"{row['num_rows']} rows"
            for row in ask(connection, "duplicate_ids")
        },
        "problem",
        "a file was copied into the store: see `files` in SQL, and move the copy away",
    )


def _named(check: str, reasons: Mapping[str, str], state: State, advice: str) -> Finding:
    """A finding that lists things with their reasons; all is well without any."""
    if not reasons:
        return Finding(check=check, found="none")
    return Finding(
        check=check,
        state=state,
        found=f"{len(reasons):,}",
        advice=advice,
        items=tuple(f"{name}: {reason}" for name, reason in reasons.items()),
    )
