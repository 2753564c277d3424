"""What `stepmill doctor` finds: one line per check, with what to do about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check: how it stands, what was found, and what to do unless all is well."""

    check: str
    state: State = "ok"
    found: str
    advice: str = ""
    items: tuple[str, ...] = ()
    """What was found one by one, such as `path: reason`."""


def gather(checks: Iterable[Callable[[], Iterable[Finding]]]) -> list[Finding]:
    """The findings of all checks in order; a check that fails is a finding too."""
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check()
        except Exception as error:  # whatever went wrong, the other checks continue
            findings.append(
                Finding(
                    check=_name_of(check),
                    state="warning",
                    found=f"could not be checked: {type(error).__name__}: {error}",
                    advice="look at it by hand",
                )
            )
    return findings


def _name_of(check: Any) -> str:
    function = getattr(check, "func", check)
    return function.__name__.strip("_").replace("_", " ").removeprefix("check ")
