"""`stepmill doctor`: what is wrong with a machine and a store, and what to do about it."""

import functools
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from flows.commands.checks.findings import Finding, gather
from flows.commands.checks.machine import machine_checks
from flows.commands.checks.store import open_store, store_checks
from flows.commands.options import DEFAULT_ROOT, Format, Root
from flows.tables.formats import check_format
from flows.tables.output import open_console, visible
from storage import Store
from storage.inspection import Inspection, inspect, quarantine

_MAX_ITEMS = 10
_STYLES = {"ok": "green", "warning": "yellow", "problem": "red"}


def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Read all rows of all files.")] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Move unusable files away, so that they are made again."),
    ] = False,
    output: Format = "table",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Examine this machine and the store: what is wrong, and what to do about it."""
    raise typer.Exit(examine(root, output=output, deep=deep, repair=repair))


def examine(root: str, *, output: str, deep: bool, repair: bool) -> int:
    """Print a finding per check; the exit code, which is 1 if a check found a problem.

    Args:
        root: the store; that it does not exist is a finding.
        output: table or json.
        deep: read all rows, not only the footers.
        repair: move unusable files to `.quarantine/`, so that their units are made again.

    Raises:
        ValueError: the format does not exist.
    """
    check_format(output, "table", "json")
    findings = gather(machine_checks(root))
    findings += gather([functools.partial(_examine_store, root, deep=deep, repair=repair)])
    if output == "json":
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings]) + "\n")
    else:
        _print_table(findings)
    return int(any(finding.state == "problem" for finding in findings))


def _examine_store(root: str, *, deep: bool, repair: bool) -> Iterable[Finding]:
    store, finding = open_store(root)
    yield finding
    if store is None:
        return
    inspection = inspect(store, deep=deep)
    if repair and inspection.unusable:
        yield _repair(store, inspection)
        inspection = inspect(store, deep=deep)
    yield from gather(store_checks(store, inspection))


def _repair(store: Store, inspection: Inspection) -> Finding:
    try:
        moved = quarantine(store, list(inspection.unusable))
    except (OSError, ValueError) as error:
        return Finding(check="repair", state="problem", found=str(error))
    return Finding(
        check="repair",
        found=f"{len(moved):,} files moved away",
        advice="a run with their run id makes them again",
        items=tuple(moved),
    )


def _print_table(findings: list[Finding]) -> None:
    console = open_console()
    table = Table()
    for name in ("check", "", "found", "what to do"):
        table.add_column(name, overflow="fold")
    for finding in findings:
        lines = [finding.found, *finding.items[:_MAX_ITEMS]]
        if len(finding.items) > _MAX_ITEMS:
            lines.append(f"and {len(finding.items) - _MAX_ITEMS:,} more: --format json has all")
        table.add_row(
            finding.check,
            Text(finding.state, style=_STYLES[finding.state]),
            Text(visible("\n".join(lines))),
            Text(finding.advice),
        )
    console.print(table)
    counts = {state: sum(f.state == state for f in findings) for state in _STYLES}
    console.print(", ".join(f"{count} {state}" for state, count in counts.items()))
