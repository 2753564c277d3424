"""What people marked in a run, and how labels, verifiers and graders agree with them."""

from collections.abc import Mapping
from typing import Any

from flows.view.site import View

_MAX_SHOWN = 200


def build(view: View) -> Mapping[str, Any]:
    """The page of a run's marks."""
    run_id, ask = view.need("run"), view.snapshot.ask
    marked = ask("marked_by_people", run_id=run_id, num_rows=_MAX_SHOWN)
    return {
        "run_id": run_id,
        "marked": marked,
        "agreement": ask("agreement_with_people", run_id=run_id) if marked else [],
        "max_shown": _MAX_SHOWN,
        "annotator": view.site.annotator,
    }
