"""`stepmill cancel`: tell a running run to end, as *Cancel* in Prefect's UI does."""

from typing import Annotated

import typer

from flows.commands.options import DEFAULT_ROOT, Root
from flows.runs.progress import say
from flows.server.prefect_server import find_server
from schemas.errors import StepmillError
from storage import Store


def cancel(
    run_id: Annotated[str, typer.Argument(help="The run, as in `stepmill runs`.")],
    root: Root = DEFAULT_ROOT,
) -> None:
    """Stop a run, wherever it was started; what it has committed stays.

    It is recorded as cancelled, in the store and by Prefect, and the same run id resumes it. The
    run is found by the Prefect server that it uses: PREFECT_API_URL, or the one of this machine.
    """
    store = Store(root, create=False)
    if find_server(None) is None:
        raise StepmillError(
            "expected the Prefect server of the run, got none on this machine: set PREFECT_API_URL"
        )
    from flows.runs.cancel_run import cancel_run

    say(f"waiting for {run_id} to end")
    cancel_run(store.url, run_id)
    say(f"cancelled {run_id}: the same command with `--run-id {run_id}` resumes it")
