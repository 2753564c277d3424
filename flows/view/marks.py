"""The forms that people write with: what a browser sends, and what becomes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from fastapi import Request
from starlette.exceptions import HTTPException

from flows.view.annotation import write_grade, write_labels
from flows.view.site import NotThere
from storage.viewing import Snapshot

_MAX_BYTES = 100_000
_STEP = "step-"


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, the last value of each."""

    fields: Mapping[str, str]

    def get(self, name: str) -> str:
        """A field; empty if it is not there."""
        return self.fields.get(name, "")


Write = Callable[[Snapshot, Form, str], None]
"""From the store, a form and the name of who sent it."""


async def read_form(request: Request) -> Form:
    """The form of a request.

    Raises:
        HTTPException: it is none, or too large.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "expected a form of one of the viewer's pages")
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MAX_BYTES:
            raise HTTPException(413, f"expected a form of at most {_MAX_BYTES:,} bytes")
    try:
        found = parse_qs(data.decode(), keep_blank_values=True, max_num_fields=5000)
    except ValueError as error:
        raise HTTPException(400, f"expected a form: {error}") from error
    return Form({name: values[-1] for name, values in found.items()})


def _mark_steps(snapshot: Snapshot, form: Form, annotator: str) -> None:
    marks = {}
    for name, value in form.fields.items():
        if name.startswith(_STEP):
            place = name.removeprefix(_STEP)
            if not (place.isascii() and place.isdigit() and len(place) < 9):
                raise ValueError(f"expected a field step-NUMBER, got {name!r}")
            marks[int(place)] = value
    write_labels(snapshot, _row_of(snapshot, form), marks, annotator)


def _mark_grade(snapshot: Snapshot, form: Form, annotator: str) -> None:
    write_grade(snapshot, _row_of(snapshot, form), form.get("grade"), annotator)


def _row_of(snapshot: Snapshot, form: Form) -> dict:
    run_id, trajectory_id = form.get("run"), form.get("id")
    found = snapshot.ask("trajectory_of_run", run_id=run_id, trajectory_id=trajectory_id)
    if not found:
        raise NotThere(f"run {run_id} has no trajectory {trajectory_id}")
    return found[0]


WRITERS: dict[str, Write] = {"mark-steps": _mark_steps, "mark-grade": _mark_grade}
"""What is written, by the path that a form is sent to."""
